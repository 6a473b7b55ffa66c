"""Measuring a network at one checkpoint: gradient, noise, curvature, and the one-step truth."""
