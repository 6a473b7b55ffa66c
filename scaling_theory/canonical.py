"""The scalar law in three parameters: how eta* moves with B when one number holds all noise.

eta*(B) = eta_infinity sqrt(1 + K / B) / (1 + B_n / B)      own derivation, from the article's
loss drop(B) = drop_infinity / (1 + B_n / B)                (2.8), kexue.fm/archives/10563.

Its domain: independent noise, one noise-to-signal ratio for all coordinates. For orientation and
fits; whether a real network surges is measured (see surge), not read off this law.
"""

from dataclasses import dataclass

from scaling_theory import closed_forms
from scaling_theory.errors import require_not_negative, require_positive


@dataclass(frozen=True)
class CanonicalLaw:
    """eta_infinity: eta* for infinite batches. Batches in the unit of the noise they came from.

    noise_batch: B_n = K T / Q, where the loss drop is half of its largest value (the efficiency
        scale; neither the SGD noise scale nor the batch of the peak).
    saturation_batch: K = c kappa^2, where beta^2 = B / (B + K) is one half.
    """

    eta_infinity: float
    noise_batch: float
    saturation_batch: float

    def __post_init__(self) -> None:
        require_positive(self.eta_infinity, "eta_infinity", "check A and Q")
        for name in ("noise_batch", "saturation_batch"):
            require_not_negative(getattr(self, name), name, "check kappa^2 and T")

    def learning_rate(self, batch_size: float) -> float:
        """eta*(B). Small batches: eta_infinity sqrt(K B) / B_n."""
        rate = closed_forms.canonical_learning_rate(
            eta_infinity=self.eta_infinity,
            noise_batch=self.noise_batch,
            saturation_batch=self.saturation_batch,
            batch_size=_batch(batch_size),
        )
        return float(rate)

    def loss_drop_ratio(self, batch_size: float) -> float:
        """Loss drop at eta*(B) over its value at infinite batch: 1 / (1 + B_n / B)."""
        batch = _batch(batch_size)
        return float(
            closed_forms.canonical_loss_drop_ratio(noise_batch=self.noise_batch, batch_size=batch)
        )

    def log_slope(self, batch_size: float) -> float:
        """d ln eta* / d ln B: 1/2 at small B, below 1 everywhere, 0 at infinity."""
        slope = closed_forms.canonical_log_slope(
            noise_batch=self.noise_batch,
            saturation_batch=self.saturation_batch,
            batch_size=_batch(batch_size),
        )
        return float(slope)

    @property
    def surges(self) -> bool:
        """Whether eta* falls at large B: B_n < K / 2, that is Q > 2 T, inside this law."""
        return self.noise_batch < self.saturation_batch / 2

    @property
    def peak_batch(self) -> float | None:
        """B of the largest eta*, K B_n / (K - 2 B_n) = K T / (Q - 2 T); None without a surge."""
        if not self.surges:
            return None
        return float(
            closed_forms.canonical_peak_batch(
                noise_batch=self.noise_batch, saturation_batch=self.saturation_batch
            )
        )

    @property
    def peak_learning_rate(self) -> float | None:
        """eta* at the peak, A / (2 sqrt(T (Q - T))); None without a surge.

        Raises InputError for noise_batch = 0, where eta* grows without bound as B goes to 0.
        """
        if not self.surges:
            return None
        require_positive(self.noise_batch, "noise_batch", "a peak needs noise curvature, T > 0")
        rate = closed_forms.canonical_peak_learning_rate(
            eta_infinity=self.eta_infinity,
            noise_batch=self.noise_batch,
            saturation_batch=self.saturation_batch,
        )
        return float(rate)


def mean_field_law(
    descent: float, signal_curvature: float, trace: float, kappa2: float, shape_constant: float
) -> CanonicalLaw:
    """The canonical law of the mean field: eta_infinity = A / Q, K = c kappa^2, B_n = K T / Q.

    descent: A = sum u_i g_i. signal_curvature: Q = u^T H u. trace: T = sum H_ii over coordinates
    that carry noise. All with u = softsign(g, epsilon).
    kappa2: noise-to-signal ratio of one sequence, sum sigma^2 / sum (g^2 + epsilon^2).
    shape_constant: c = pi / 2 (kexue.fm/archives/10563) or 1 (kexue.fm/archives/11280).

    Raises InputError unless A, Q, c > 0 and T, kappa2 >= 0.
    """
    require_positive(descent, "descent A", "the update must point downhill")
    require_positive(signal_curvature, "signal curvature Q", "there is no minimum along u")
    require_positive(shape_constant, "shape constant c", "pi / 2 or 1")
    saturation = shape_constant * kappa2
    return CanonicalLaw(
        eta_infinity=descent / signal_curvature,
        noise_batch=float(
            closed_forms.efficiency_batch(
                saturation_batch=saturation, signal_curvature=signal_curvature, trace=trace
            )
        ),
        saturation_batch=saturation,
    )


def _batch(batch_size: float) -> float:
    return require_positive(batch_size, "batch size", "give the number of sequences in a batch")
