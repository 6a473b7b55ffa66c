"""Replicas of the built-in network trained side by side: the weights of each are a row of [R, P].

Runs that differ in learning rate, seed or numbers of the optimizer only share every call: matrix
products are batched over the replicas, attention runs on the folded replica and sequence axes.
"""

from empirical.train.stacked.optimizers import can_stack
from empirical.train.stacked.trainee import (
    StackedPath,
    StackedTrainee,
    compiled_path_missing,
    stacked_paths,
)

__all__ = ["StackedPath", "StackedTrainee", "can_stack", "compiled_path_missing", "stacked_paths"]
