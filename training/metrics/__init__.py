"""Scores of a generator against real images; see `score` for the way in."""
