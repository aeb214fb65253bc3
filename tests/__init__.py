"""Tests; a package, since an installed package may be called tests too (torch-fidelity's is)."""
