"""Measuring any model: moments, noise scales and their intervals against plain references."""

from functools import partial

import numpy as np
import pytest
import torch
from scipy.special import stdtrit

from empirical.errors import UsageError
from empirical.measure.measurement import Measurement, measure
from empirical.train.configuration import NetworkConfig
from empirical.train.network import build_network
from tests.measure.plain import (
    TiedModel,
    linear_loss,
    next_token_loss,
    quadratic_loss,
    randomised,
    sample_gradients,
    token_batch,
)


def measure_rows(rows: torch.Tensor, **options: object) -> Measurement:
    """Measure a pool whose sample gradients are these rows, [N, P]."""
    theta = torch.zeros(rows.shape[1], dtype=rows.dtype)
    settings: dict[str, object] = {"curvature": "none", **options}
    return measure(linear_loss, rows, parameters={"theta": theta}, **settings)  # type: ignore[arg-type]  # options are passed on


def planted(
    kind: str, samples: int, seed: int, signal: float, coordinates: int = 30
) -> tuple[torch.Tensor, np.ndarray, np.ndarray]:
    """Sample gradients [N, P], their true mean and variance [P]; |g|^2 = signal tr Sigma."""
    rng = np.random.default_rng(seed)
    sigma = np.logspace(-1, 0, coordinates)
    mean = rng.standard_normal(coordinates) * sigma
    mean *= np.sqrt(signal * (sigma @ sigma)) / np.linalg.norm(mean)
    noise = rng.standard_normal((samples, coordinates))
    if kind == "heavy":
        noise = rng.standard_t(6, size=noise.shape) / np.sqrt(1.5)
    if kind == "uneven":  # samples of very different size, as a language model has
        noise *= np.exp(0.5 * rng.standard_normal((samples, 1)) - 0.25)
    return torch.from_numpy(mean + sigma * noise), mean, sigma**2


@pytest.mark.parametrize("micro_batch", [1, 4, 7], ids=["single", "even", "ragged"])
def test_moments_are_those_of_plain_gradients(micro_batch: int) -> None:
    """Slow brute force: one backward per sample; sums over micro-batches by the definition."""
    model = randomised(TiedModel())
    x, y = token_batch(50)
    found = measure(
        model, (x, y), loss=next_token_loss, curvature="none", micro_batch=micro_batch, blocks=8
    )
    rows = sample_gradients(
        model,
        [partial(next_token_loss, model, (x[i : i + 1], y[i : i + 1])) for i in range(50)],
    )
    # sums of 50 float64 terms: 1e-12 relative to the largest
    torch.testing.assert_close(found.gradient, rows.mean(0), rtol=0, atol=1e-13)
    if micro_batch == 1:
        exact = rows.var(0)
        torch.testing.assert_close(found.variance, exact, rtol=1e-9, atol=1e-15)
        assert not torch.allclose(found.variance, 1.01 * exact, rtol=1e-3)  # a planted 1 % error
    trace = float(rows.var(0).sum())
    # micro-batches see the same trace, less precisely: within 5 of their own errors
    whole = found.whole.trace_covariance
    assert abs(whole.value - trace) <= max(5 * whole.standard_error, 1e-9)


def test_deviations_have_the_covariance_they_claim() -> None:
    """Monte Carlo: over 300 pools the mean of b delta^2 is sigma^2, within 4 errors."""
    values = []
    for seed in range(300):
        rows, _, variance = planted("normal", 45, seed, 0.1, coordinates=12)
        found = measure_rows(rows, blocks=8, seed=seed)
        ratio = (found.block_size * found.deviations.square()).mean(0).numpy() / variance
        values.append(ratio.mean())
    error = np.std(values) / 300**0.5
    assert abs(np.mean(values) - 1) < 4 * error
    assert 4 * error < 0.05  # 8 blocks without the K / (K - 1) would be 12 % off


CASES = [("normal", 0.3), ("normal", 0.03), ("heavy", 0.1), ("uneven", 0.05), ("normal", 0.01)]


def test_intervals_cover_what_they_claim() -> None:
    """Planted parameters: 500 pools, nominal 95 % covers 93 to 97 %, half as wide fails."""
    covered: list[bool] = []
    too_short: list[bool] = []
    for kind, signal in CASES:
        for seed in range(100):
            rows, mean, variance = planted(kind, 96, seed, signal)
            whole = measure_rows(rows, seed=seed).whole
            scale = 1 / np.sqrt(variance + mean**2)
            truths = [
                (whole.simple.interval, variance.sum() / (mean @ mean)),
                (whole.adam.interval, (scale @ variance) / (scale @ mean**2)),
            ]
            t = float(stdtrit(63, 0.975))
            for estimate, truth in (
                (whole.gradient_norm_squared, mean @ mean),
                (whole.trace_covariance, variance.sum()),
            ):
                truths.append((estimate.interval(t), truth))
                low, high = estimate.interval(t / 2)
                too_short.append(low <= truth <= high)
            covered += [low <= truth <= high for (low, high), truth in truths]
    assert len(covered) == 2000
    assert 0.93 <= np.mean(covered) <= 0.97
    assert np.mean(too_short) < 0.8  # the negative control


def test_sign_scale_covers_where_it_is_identified() -> None:
    """Planted parameters: 100 pools of 300 coordinates; where it answers, 95 % +- 5."""
    covered = []
    for seed in range(100):
        rows, mean, variance = planted("normal", 128, seed, 0.2, coordinates=300)
        sign = measure_rows(rows, seed=seed).whole.sign
        truth = (np.sqrt(variance).sum() / np.abs(mean).sum()) ** 2
        assert sign.estimate is not None
        covered.append(sign.interval[0] <= truth <= sign.interval[1])
    assert np.mean(covered) >= 0.9


def test_what_is_not_identified_says_how_much_is_missing() -> None:
    """Planted parameters: refused at N, and with the samples it asks for found in most cases."""
    refused, found_later = 0, 0
    for seed in range(40):
        rows, _, _ = planted("normal", 48, seed, 0.02)
        first = measure_rows(rows, seed=seed).whole.simple
        if first.estimate is not None:
            continue
        refused += 1
        assert "not identified" in first.status
        assert first.interval[1] == float("inf")
        more = int(first.status.rsplit("about", 1)[1].split()[0])
        assert more >= 48
        rows, _, _ = planted("normal", 48 + min(more, 2000), 1000 + seed, 0.02)
        found_later += measure_rows(rows, seed=seed).whole.simple.estimate is not None
    assert refused >= 10
    assert found_later >= 0.6 * refused


def test_sgd_noise_scale_against_the_dense_hessian() -> None:
    """Dense algebra: Tr(H Sigma) and g^T H g of a quadratic, and 100 intervals that cover."""
    rng = np.random.default_rng(0)
    factor = rng.standard_normal((12, 12))
    hessian = torch.from_numpy(factor @ factor.T / 12 + 0.2 * np.eye(12))
    dense = hessian.numpy()
    covered = []
    for seed in range(100):
        centres = torch.from_numpy(np.random.default_rng(seed).standard_normal((96, 12)))
        theta = torch.full((12,), 0.5, dtype=torch.float64)
        found = measure(
            quadratic_loss(hessian),
            centres,
            parameters={"theta": theta},
            subset=4,
            blocks=24,
            seed=seed,
        ).curvature["all"]
        true = np.trace(dense @ dense @ dense) / float(theta @ hessian @ hessian @ hessian @ theta)
        covered.append(found.sgd.interval[0] <= true <= found.sgd.interval[1])
    # 95 % of 100 within 3 binomial errors
    assert np.mean(covered) >= 0.88
    assert np.mean(covered) < 1.0
    # every term once, against matrices
    found_once = measure(
        quadratic_loss(hessian), centres, parameters={"theta": theta}, blocks=24, seed=99
    )
    away = found_once.deviations.numpy()
    b = found_once.block_size
    exact = b * np.einsum("kp,pq,kq->k", away, dense, away).mean()
    curved = found_once.curvature["all"]
    # second differences of a quadratic: rounding only
    assert curved.hessian_noise.value == pytest.approx(exact, rel=1e-5)
    assert curved.hessian_noise.value != pytest.approx(1.01 * exact, rel=1e-3)
    g = found_once.gradient.numpy()
    plug_in = g @ dense @ g - exact / 96
    assert curved.gradient_curvature.value == pytest.approx(plug_in, rel=1e-4)


def test_groups_add_up_to_the_whole() -> None:
    """Closed form: norms and traces are sums over groups; curvature of a group is its own."""
    model = build_network(NetworkConfig(context=5, width=8, depth=2, heads=2), 0)
    batch = token_batch(40, used=200)
    found = measure(model, batch, loss=next_token_loss, curvature="groups", blocks=10)
    names = ["all", "token_embedding", "position_embedding", "blocks.0", "blocks.1", "final_norm"]
    assert list(found.noise) == [*names, "unembedding"]
    assert set(found.curvature) == set(found.noise)
    parts = [noise for name, noise in found.noise.items() if name != "all"]
    assert sum(part.parameters for part in parts) == found.parameters
    total = sum(part.trace_covariance.value for part in parts)
    assert total == pytest.approx(found.whole.trace_covariance.value, rel=1e-5)
    norm = sum(part.gradient_norm_squared.value for part in parts)
    assert norm == pytest.approx(found.whole.gradient_norm_squared.value, rel=1e-4)


def test_tails_are_diagnosed() -> None:
    """Closed form: excess kurtosis of an exponential is 6; a batch of B has 6 / B."""
    rng = np.random.default_rng(0)
    rows = torch.from_numpy(rng.exponential(size=(6000, 9)))
    single = measure_rows(rows).tails
    fours = measure_rows(rows, micro_batch=4).tails
    # the standard error of one kurtosis is about 0.7 here, its median over 9 a third of that
    assert single.excess_kurtosis == pytest.approx(6, abs=1.2)
    assert fours.excess_kurtosis == pytest.approx(6, abs=1.6)
    assert "not Gaussian at this B" in single.verdict(2)
    assert single.verdict(64) == "Gaussian"
    assert "not Gaussian below B = " in measure_rows(rows).status
    normal = torch.from_numpy(rng.standard_normal((2000, 9)) + 1)
    assert measure_rows(normal).status == "ok"


def test_tokens_and_sequences() -> None:
    """Closed form: five targets a sequence, so scales in tokens are five times those in samples."""
    found = measure(
        randomised(TiedModel()), token_batch(60), loss=next_token_loss, curvature="none"
    )
    assert found.tokens_per_sample == 5
    simple = found.whole.simple
    assert simple.estimate is not None and simple.tokens is not None
    assert simple.tokens.value == pytest.approx(5 * simple.estimate.value)


def test_short_memory_goes_to_disk_then_to_fewer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Closed form: the same numbers from a file; fewer blocks where the disk is short too."""
    rows, _, _ = planted("normal", 64, 0, 0.3)
    plain, on_disk = measure_rows(rows), measure_rows(rows, max_memory=1)
    torch.testing.assert_close(on_disk.deviations, plain.deviations, rtol=0, atol=0)
    assert any("on disk" in note for note in on_disk.notes)
    usage = type("Usage", (), {"free": 0})()
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage)
    fewer = measure_rows(rows, max_memory=10 * 30 * 8)
    assert len(fewer.deviations) == 10
    assert any("10 of 64" in note for note in fewer.notes)
    with pytest.raises(UsageError, match="raise max_memory"):
        measure_rows(rows, max_memory=100)
