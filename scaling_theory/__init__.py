"""Theory: the law of the optimal learning rate and its parts; no torch, no plots, no files."""

__version__ = "0.1.0"
