"""Theory: the law of the optimal learning rate and its parts; no torch, no plots, no files."""
