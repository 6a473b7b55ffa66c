"""SGD-SaI beside the two published implementations: where they are right, and where they are not.

sgd-sai 1.0.3 is the authors' package (arXiv 2412.11768), pytorch_optimizer a collection with a
port of it. What is pinned here as wrong was read in their source and executed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, cast

import pytest
import torch
from torch import Tensor
from torch.nn import Parameter
from torch.optim import Optimizer

from empirical.train.optimizers import SGDSaI, SignSGD
from empirical.train.randomness import private_generator

published = pytest.importorskip("sgd_sai", reason="sgd-sai is not installed")
collection = pytest.importorskip("pytorch_optimizer", reason="pytorch_optimizer is not installed")

Rule = Callable[[Sequence[Parameter]], Optimizer]
SHAPES = ((6, 5), (7,), (3, 4, 2))
OPTIONS: dict[str, Any] = {"lr": 0.02, "eps": 1e-8, "weight_decay": 0.3}
CODE: dict[str, Any] = {"normalize": False, "unbiased": True}


def _batches(steps: int, shapes: Sequence[tuple[int, ...]] = SHAPES) -> list[list[Tensor]]:
    generator = private_generator(0, "gradients")
    return [
        [torch.randn(shape, generator=generator, dtype=torch.float64) for shape in shapes]
        for _ in range(steps)
    ]


def _ends(rule: Rule, batches: Sequence[Sequence[Tensor | None]]) -> list[Tensor]:
    """Parameters, all ones at the start, after these gradients."""
    shapes = [
        next(g for batch in batches if (g := batch[k]) is not None) for k in range(len(batches[0]))
    ]
    parameters = [Parameter(torch.ones_like(shape)) for shape in shapes]
    optimizer = rule(parameters)
    for batch in batches:
        for parameter, gradient in zip(parameters, batch, strict=True):
            parameter.grad = None if gradient is None else gradient.clone()
        optimizer.step()
    return [parameter.detach() for parameter in parameters]


def _ours(**options: Any) -> Rule:
    """SGD-SaI as the package computes it, unless options say otherwise."""
    return lambda parameters: SGDSaI(parameters, **(CODE | options))


def _published(**options: Any) -> Rule:
    return lambda parameters: cast(Optimizer, published.SGD_sai(parameters, **options))


def _port(**options: Any) -> Rule:
    return lambda parameters: cast(Optimizer, collection.SGDSaI(parameters, **options))


def test_every_step_agrees_with_the_published_package() -> None:
    """Another library: matrices, vectors and more axes, with momentum and decay, five steps."""
    batches = _batches(5)
    both = (_ours(**OPTIONS), _published(**OPTIONS))
    for steps in range(1, 6):
        ours, theirs = (_ends(rule, batches[:steps]) for rule in both)
        # float64 and five steps of a dozen roundings.
        torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-13)

    # Negative control: the biased deviation, 2 to 8 % off for tensors of this size.
    off = _ends(_ours(**OPTIONS, unbiased=False), batches)
    assert all((o - t).abs().max() > 1e-3 for o, t in zip(off, theirs, strict=True))


def test_the_paper_is_the_package_at_another_learning_rate() -> None:
    """Closed form: without decay and with large tensors, normalising divides the rate."""
    batches = _batches(3, ((400, 500), (300,)))
    options = OPTIONS | {"weight_decay": 0.0}
    largest = math.sqrt(200_000)

    # Biased or not: 1/(2 · 300) of the distance of the vector; ḡ adds as much to both tensors.
    paper = _ours(**(options | {"lr": 0.02 * largest}), normalize=True, unbiased=False)
    torch.testing.assert_close(
        _ends(paper, batches), _ends(_published(**options), batches), rtol=0, atol=0.01
    )


def test_without_momentum_the_published_package_fails_and_the_port_agrees_on_matrices() -> None:
    """Another library: momentum 0 is an unbound name there; the port handles it."""
    batches = _batches(3, ((6, 5), (4, 4)))

    options = OPTIONS | {"momentum": 0.0}
    ours, port = (_ends(rule(**options), batches) for rule in (_ours, _port))
    torch.testing.assert_close(ours, port, rtol=1e-12, atol=1e-13)
    with pytest.raises(UnboundLocalError, match="buf"):
        _ends(_published(**options), batches)


def test_the_port_scales_vectors_by_their_norm_and_starts_its_average_at_zero() -> None:
    """Another library, wrong: no deviation for one axis, and a first step of 1 - momentum."""
    ((vector,),) = _batches(1, ((50,),))
    options: dict[str, Any] = {"lr": 0.02, "weight_decay": 0.0}
    for momentum in (0.0, 0.9):
        (end,) = _ends(_port(**options, momentum=momentum), [[vector]])
        expected = 1 - 0.02 * (1 - momentum) * vector.norm() * vector
        torch.testing.assert_close(end, expected, rtol=1e-12, atol=1e-13)
    # The g-SNR of this vector is about 7.07 = √50; its norm is that only because σ is about 1.
    small = _ends(_port(**options), [[1e-3 * vector]])[0]
    ours = _ends(_ours(**options), [[1e-3 * vector]])[0]
    assert (1 - ours).norm() / (1 - small).norm() > 1000


def test_a_zero_first_gradient_freezes_the_published_package_for_ever() -> None:
    """Another library, wrong: a scale of 0, as for LoRA's first matrix while the second is 0."""
    later = _batches(5, ((6, 4),))
    batches = [[torch.zeros(6, 4, dtype=torch.float64)], *later]
    options: dict[str, Any] = {"lr": 0.02, "weight_decay": 0.0}

    theirs = _published(**options)
    assert torch.equal(_ends(theirs, batches)[0], torch.ones(6, 4, dtype=torch.float64))

    ours = _ends(_ours(**options), batches)
    torch.testing.assert_close(ours, _ends(theirs, later), rtol=1e-12, atol=1e-13)


def test_a_lone_number_leaves_the_published_package_at_once() -> None:
    """Another library, wrong: no deviation, so the norm is divided by ε; from 1 to -249 999."""
    batches = [[torch.tensor(0.5, dtype=torch.float64)]]
    options: dict[str, Any] = {"lr": 0.01, "weight_decay": 0.0}

    with pytest.warns(UserWarning, match="degrees of freedom"):
        (end,) = _ends(_published(**options), batches)
    assert end.item() == pytest.approx(-249_999, rel=1e-12)
    (end,) = _ends(_ours(**options), batches)
    assert end.item() == pytest.approx(1 - 0.01 * 0.5, rel=1e-15)


def test_equal_entries_leave_the_published_package_too() -> None:
    """Another library, wrong: a gradient without a spread has the scale ‖g‖ / ε."""
    batches = [[torch.full((8,), 0.25, dtype=torch.float64)]]
    options: dict[str, Any] = {"lr": 0.01, "weight_decay": 0.0}

    expected = 1 - 0.01 * 0.25 * math.sqrt(8) * 0.25 / 1e-8
    theirs = _ends(_published(**options), batches)[0]
    assert theirs[0].item() == pytest.approx(expected, rel=1e-12)
    ours = _ends(_ours(**options), batches)[0]
    assert ours[0].item() == pytest.approx(1 - 0.01 * math.sqrt(8) * 0.25, rel=1e-12)


def test_a_late_gradient_is_an_error_in_the_published_package() -> None:
    """Another library, wrong: a tensor without a gradient at the first step never gets a scale."""
    (one, _), (first, second) = _batches(2, ((3, 3), (4, 4)))
    batches: list[list[Tensor | None]] = [[one, None], [first, second]]
    with pytest.raises(KeyError, match="gsnr"):
        _ends(_published(**OPTIONS), batches)
    late = _ends(_ours(**OPTIONS), batches)[1]
    # Its own first step is its first step of all: as if it had been alone.
    alone = _ends(_published(**OPTIONS), [[second]])
    torch.testing.assert_close([late], alone, rtol=1e-12, atol=1e-13)


def test_the_published_package_calls_the_closure_twice_and_prints(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Another library, wrong: the first step runs the closure once more, and writes 100 letters."""
    for rule, calls_wanted, printed in (
        (_published(), 2, True),
        (_ours(), 1, False),
    ):
        parameter = Parameter(torch.ones(3, 3))
        optimizer, calls = rule([parameter]), list[int]()

        def closure(parameter: Parameter = parameter, calls: list[int] = calls) -> float:
            calls.append(1)
            parameter.grad = torch.eye(3)
            return 0.0

        optimizer.step(closure)
        assert len(calls) == calls_wanted
        assert bool(capsys.readouterr().out) == printed


def test_a_resumed_published_package_forgets_its_scales() -> None:
    """Another library, wrong: the scale comes from the batch after loading, not from the state."""
    ((first,), (second,)) = _batches(2, ((20, 20),))
    first = first + 1.0

    def scale_after_resuming(rule: Rule, key: str) -> tuple[float, float]:
        parameter = Parameter(torch.ones_like(first))
        optimizer = rule([parameter])
        parameter.grad = first
        optimizer.step()
        resumed = rule([parameter])
        resumed.load_state_dict(optimizer.state_dict())
        parameter.grad = second
        resumed.step()
        return float(optimizer.state[parameter][key]), float(resumed.state[parameter][key])

    before, after = scale_after_resuming(_published(), "gsnr")
    # Root of 2 from the mean of 1 beside a deviation of 1.
    assert before / after == pytest.approx(math.sqrt(2), rel=0.1)
    before, after = scale_after_resuming(_ours(), "snr")
    assert before == after


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_signum_agrees_with_the_collection(momentum: float) -> None:
    """Another library: SignSGD and Signum, with decoupled decay, step by step."""
    batches = _batches(5)
    options: dict[str, Any] = {"lr": 0.02, "momentum": momentum, "weight_decay": 0.3}
    for steps in range(1, 6):
        theirs = _ends(lambda p: collection.SignSGD(p, **options), batches[:steps])
        ours = _ends(lambda p: SignSGD(p, **options), batches[:steps])
        torch.testing.assert_close(ours, theirs, rtol=1e-14, atol=0)
