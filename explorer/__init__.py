"""Everything the app computes, usable without a browser."""

from training import __version__ as __version__
