"""Published claims about small batches and about SGD-SaI, run again in small."""
