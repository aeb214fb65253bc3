"""Whether a generator has collapsed, misses modes or copies: measured while samples come in."""
