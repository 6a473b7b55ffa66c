"""Everything that touches data, torch, files and plots: train, measure, check, show."""
