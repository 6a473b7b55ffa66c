"""What measuring costs, next to the peers, on this machine: `python -m empirical.bench`."""
