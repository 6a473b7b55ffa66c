"""How much to measure: the one place where precision is traded for time."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Effort:
    """How much to measure.

    Attributes:
        batches: M, real batches per small batch size; they are shared across epsilon.
        precision: standard error wanted for the noise curvature's part in E[u^T H u], relative.
        largest_error: standard error of eta* from 4 sequences on, relative, above which M is
            doubled, twice at most; below 4, where tails are heavy, three times as much is allowed.
        pilot: batches whose curvatures decide how many more that takes.
        subset: sequences per curvature of one of many directions.
        line_search_batches: batches of the line search.
        deviations: K, blocks of the pool whose gradient deviations the correlated prediction and
            every interval of a noise scale rest on.
        probes: random sign vectors for terms that need the diagonal of H.
    """

    batches: int = 768
    precision: float = 0.02
    pilot: int = 48
    subset: int = 8
    line_search_batches: int = 64
    largest_error: float = 0.03
    deviations: int = 192
    probes: int = 32

    def batches_at(self, batch_size: int) -> int:
        """M at a batch size: the updates of large batches vary less, and cost more."""
        fewest = min(self.batches, 256)
        return min(self.batches, max(fewest, 64 * self.batches // batch_size))

    def error_at(self, batch_size: int) -> float:
        """Largest relative standard error of eta* that is let pass at a batch size."""
        return self.largest_error * (1 if batch_size >= 4 else 3)
