"""What is measured once at a checkpoint and feeds every prediction: arrays, no tensors."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scaling_theory.errors import InputError

Floating = NDArray[np.floating]


@dataclass(frozen=True, eq=False)
class GradientStatistics:
    """Gradient and gradient noise at one point; float32 or float64, P coordinates.

    Everything refers to a pool of `sequences` sequences from which batches are drawn with
    replacement: the pool's mean IS the true gradient and its covariance (divided by N, not N - 1)
    IS the noise, so neither carries a sampling error here.

    gradient: [P], mean gradient over the pool.
    variance: [P], variance of one SEQUENCE's gradient, sigma^2; a batch of B has sigma^2 / B.
    deviations: [K, P], micro-batch gradient minus the pool gradient (not minus their own mean:
        hence no K / (K - 1) correction), micro-batches drawn with replacement.
    micro_batch: b, sequences in each micro-batch; a deviation has covariance Sigma / b.
    sequences: N, size of the pool.

    Raises InputError for shapes that disagree, values not finite, negative variances or counts < 1.
    """

    gradient: Floating
    variance: Floating
    deviations: Floating
    micro_batch: int
    sequences: int

    def __post_init__(self) -> None:
        size = self.gradient.shape
        if len(size) != 1 or self.variance.shape != size or self.deviations.shape[1:] != size:
            raise InputError(
                f"gradient, variance and deviations came with shapes {size}, "
                f"{self.variance.shape} and {self.deviations.shape}; [P], [P] and [K, P] are wanted"
            )
        for name in ("gradient", "variance", "deviations"):
            if not np.isfinite(getattr(self, name)).all():
                raise InputError(
                    f"{name} holds NaN or infinity, not finite numbers; check the loss"
                )
        if (self.variance < 0).any():
            raise InputError(
                f"variance holds {self.variance.min():g}; values >= 0 are wanted; "
                "accumulate squared deviations, not a difference of large sums"
            )
        if self.micro_batch < 1 or self.sequences < 1:
            raise InputError(
                f"micro_batch {self.micro_batch} and sequences {self.sequences} came; "
                "both must be at least 1"
            )

    @property
    def rms_sigma(self) -> float:
        """Root mean square of sigma over the coordinates with sigma > 0, per sequence; 0 if none.

        Coordinates that never receive a gradient (unused embedding rows) are left out.
        """
        noisy = self.variance[self.variance > 0].astype(np.float64)
        return float(np.sqrt(noisy.mean())) if noisy.size else 0.0

    @property
    def simple_noise_batch(self) -> float:
        """B_simple = Tr Sigma / g^T g in sequences (arXiv 1812.06162); infinite where g = 0.

        No bias correction: gradient and variance are those of the pool itself.
        """
        gradient = self.gradient.astype(np.float64)
        signal = float(gradient @ gradient)
        noise = float(self.variance.sum(dtype=np.float64))
        return noise / signal if signal > 0 else float("inf")

    def noise_scale(self, batch_size: float) -> NDArray[np.float64]:
        """s = sigma / sqrt(B) [P] for B sequences."""
        if not (np.isfinite(batch_size) and batch_size > 0):
            raise InputError(f"batch size {batch_size:g} came; a finite number above 0 is wanted")
        return np.sqrt(self.variance.astype(np.float64) / batch_size)
