"""Everything that makes, measures or stores a model; needs PyTorch and never the app."""

__version__ = "0.1.0"
