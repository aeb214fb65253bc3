"""Everything the app computes, usable without a browser."""

__version__ = "0.1.0"
