"""Measuring a network at one checkpoint: gradient, noise, curvature, and the one-step truth.

`measure` takes any PyTorch model or loss and any batches.
"""

from empirical.measure.measurement import Measurement, measure

__all__ = ["Measurement", "measure"]
