"""What every optimizer owes to its caller, whichever rule it follows."""

from __future__ import annotations

import copy
import io
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor
from torch.optim.lr_scheduler import CosineAnnealingLR, LambdaLR

from empirical.train.optimizer_configuration import OPTIMIZERS, OptimizerConfig
from empirical.train.randomness import private_generator
from tests.device_mode import META, RefuseMixedDevices
from tests.train.optimizer_cases import (
    CASES,
    Model,
    closure_of,
    fresh_model,
    loss_at,
    optimizer_of,
    trained,
)

every_optimizer = pytest.mark.parametrize("config", CASES.values(), ids=CASES.keys())


@pytest.fixture(params=["float64", "bfloat16-rounded"])
def rounded(request: pytest.FixtureRequest) -> Iterator[bool]:
    """Plain parameters, and bfloat16 ones that are rounded stochastically."""
    yield request.param == "bfloat16-rounded"


def _pair(config: OptimizerConfig, rounded: bool) -> tuple[Model, torch.optim.Optimizer]:
    model = fresh_model(torch.bfloat16 if rounded else torch.float64)
    generator = private_generator(5, "rounding") if rounded else None
    return model, optimizer_of(model, config, rounding=generator)


def _same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return all(torch.equal(one[name], other[name]) for name in one)


def test_the_table_has_every_optimizer() -> None:
    """Closed form: a new optimizer is tested from its first day."""
    assert {config.name for config in CASES.values()} == set(OPTIMIZERS)


@every_optimizer
def test_equal_runs_give_equal_bits(config: OptimizerConfig, rounded: bool) -> None:
    """Brute force: twice the same; the weights are finite and all have moved."""
    ends = [trained(*_pair(config, rounded), range(6)) for _ in range(2)]
    assert _same(*ends)
    start = fresh_model(torch.bfloat16 if rounded else torch.float64).state_dict()
    assert all(weight.isfinite().all() for weight in ends[0].values())
    assert not any(torch.equal(weight, start[name]) for name, weight in ends[0].items())


@every_optimizer
def test_a_run_goes_on_where_it_was_interrupted(config: OptimizerConfig, rounded: bool) -> None:
    """Brute force: state saved mid-run and loaded into a fresh optimizer; equal bits at the end."""
    whole = trained(*_pair(config, rounded), range(8))
    model, optimizer = _pair(config, rounded)
    trained(model, optimizer, range(4))
    buffer = io.BytesIO()
    torch.save(optimizer.state_dict(), buffer)
    buffer.seek(0)
    # weights_only refuses whatever is neither a tensor nor plain data.
    state = torch.load(buffer, weights_only=True)

    resumed, other = _pair(config, rounded)
    resumed.load_state_dict(copy.deepcopy(model.state_dict()))
    other.load_state_dict(state)
    assert _same(trained(resumed, other, range(4, 8)), whole)


@every_optimizer
def test_options_are_not_state(config: OptimizerConfig, rounded: bool) -> None:
    """Closed form: steps change no option, and state is tensors and numbers: all can be written."""
    model, optimizer = _pair(config, rounded)
    before = copy.deepcopy(optimizer.state_dict()["param_groups"])
    trained(model, optimizer, range(3))
    state = optimizer.state_dict()
    assert state["param_groups"] == before
    values = [value for entries in state["state"].values() for value in entries.values()]
    assert all(isinstance(value, Tensor | int | float) for value in values)


@every_optimizer
def test_the_interruption_is_felt_where_state_is_lost(config: OptimizerConfig) -> None:
    """Negative control: without its state an optimizer that has any goes on differently."""
    whole = trained(*_pair(config, False), range(8))
    model, optimizer = _pair(config, False)
    trained(model, optimizer, range(4))
    has_state = any(optimizer.state_dict()["state"].values())
    forgetful = trained(model, optimizer_of(model, config), range(4, 8))
    assert _same(forgetful, whole) == (not has_state)


@every_optimizer
def test_a_closure_is_called_once(
    config: OptimizerConfig, rounded: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    """Closed form: one call with gradients enabled, its value returned, nothing printed."""
    model, optimizer = _pair(config, rounded)
    expected, calls = loss_at(model, 0).item(), list[bool]()
    assert optimizer.step(closure_of(model, optimizer, calls)) == expected
    assert calls == [True]
    other, plain = _pair(config, rounded)
    assert _same(dict(model.state_dict()), trained(other, plain, range(1)))
    assert plain.step() is None
    assert capsys.readouterr() == ("", "")


@every_optimizer
def test_zero_gradients_move_nothing(config: OptimizerConfig, rounded: bool) -> None:
    """Closed form: all gradients 0 from the start on, no weight decay; nothing changes."""
    config = config.model_copy(update={"weight_decay": 0.0})
    model, optimizer = _pair(config, rounded)
    start = {name: weight.clone() for name, weight in model.state_dict().items()}
    for _ in range(3):
        for parameter in model.parameters():
            parameter.grad = torch.zeros_like(parameter)
        optimizer.step()
    assert _same(start, dict(model.state_dict()))


@every_optimizer
def test_a_start_with_zero_gradients_freezes_nothing(config: OptimizerConfig) -> None:
    """Closed form: after two steps of zeros every tensor with a gradient moves."""
    model, optimizer = _pair(config, False)
    for _ in range(2):
        for parameter in model.parameters():
            parameter.grad = torch.zeros_like(parameter)
        optimizer.step()
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    after = trained(model, optimizer, range(2))
    assert all(weight.isfinite().all() for weight in after.values())
    assert not any(torch.equal(weight, before[name]) for name, weight in after.items())


@every_optimizer
def test_a_missing_gradient_stops_its_own_tensor_alone(
    config: OptimizerConfig, rounded: bool
) -> None:
    """Closed form: no gradient, no change, decay included; a late gradient is taken up."""
    model, optimizer = _pair(config, rounded)
    model.hidden.weight.requires_grad_(False)
    start = {name: weight.clone() for name, weight in model.state_dict().items()}
    middle = trained(model, optimizer, range(2))
    still = {name for name, weight in middle.items() if torch.equal(weight, start[name])}
    assert still == {"hidden.weight"}
    model.hidden.weight.requires_grad_(True)
    end = trained(model, optimizer, range(2, 6))
    assert not torch.equal(end["hidden.weight"], middle["hidden.weight"])
    assert all(weight.isfinite().all() for weight in end.values())


@every_optimizer
def test_many_tensors_at_once_are_as_one_at_a_time(config: OptimizerConfig) -> None:
    """Another route: the foreach path against the single-tensor path."""
    ends = []
    for foreach in (False, True):
        model = fresh_model()
        ends.append(trained(model, optimizer_of(model, config, foreach=foreach), range(6)))
    # The rules written here agree bit by bit. torch's own round in another order: 6 steps of some
    # ten float64 roundings of numbers of order one.
    own = config.name in ("signsgd", "signum", "softsignsgd", "sgd-sai", "sqrt-numel-sgd")
    tolerance = 0.0 if own else 1e-13
    torch.testing.assert_close(*ends, rtol=tolerance, atol=tolerance)


@every_optimizer
def test_a_group_is_added_with_options_of_its_own(config: OptimizerConfig, rounded: bool) -> None:
    """Closed form: a group at rate 0 stands still beside the others, and moves when that rises."""
    model, optimizer = _pair(config, rounded)
    trained(model, optimizer, range(2))
    late = torch.nn.Parameter(torch.ones(3, dtype=model.shift.dtype))
    rule = {"rule": "adamw"} if config.name == "muon" else {}
    optimizer.add_param_group({"params": [late], "lr": 0.0, **rule})
    for rate in (0.0, 0.1):
        optimizer.param_groups[-1]["lr"] = rate
        before = model.head.weight.detach().clone()
        late.grad = torch.tensor([1.0, -2.0, 3.0], dtype=late.dtype)
        optimizer.step()
        assert torch.equal(late, torch.ones_like(late)) == (rate == 0)
        assert not torch.equal(model.head.weight, before)


@every_optimizer
def test_learning_rate_schedulers_are_obeyed(config: OptimizerConfig, rounded: bool) -> None:
    """Closed form: steps at rate 0 stand still, later ones move; groups follow the schedule."""
    model, optimizer = _pair(config, rounded)
    scheduler = LambdaLR(optimizer, lambda step: 0.0 if step in (1, 2) else 1.0)
    moved = []
    for step in range(5):
        before = {name: weight.clone() for name, weight in model.state_dict().items()}
        moved.append(not _same(before, trained(model, optimizer, range(step, step + 1))))
        scheduler.step()
    assert moved == [True, False, False, True, True]
    cosine = CosineAnnealingLR(optimizer, T_max=10)
    for _ in range(5):
        optimizer.step()
        cosine.step()
    # Half of the way down a cosine from 0.01 to 0.
    assert [group["lr"] for group in optimizer.param_groups] == pytest.approx(
        [0.005] * len(optimizer.param_groups), rel=1e-12
    )


@every_optimizer
@pytest.mark.parametrize("foreach", [False, True])
def test_the_rules_run_on_another_device(config: OptimizerConfig, foreach: bool) -> None:
    """Another library: torch's dispatcher sees every operation of two steps."""
    with RefuseMixedDevices():
        model = fresh_model().to(META)
        optimizer = optimizer_of(model, config, foreach=foreach)
        for _ in range(2):
            for parameter in model.parameters():
                parameter.grad = torch.ones_like(parameter)
            optimizer.step()
    assert all(parameter.is_meta for parameter in model.parameters())


@every_optimizer
def test_a_graphics_processor_does_the_same(config: OptimizerConfig) -> None:
    """Another route: the same steps computed on a GPU."""
    if not torch.cuda.is_available():
        pytest.skip("there is no GPU here")
    on_cpu, on_gpu = fresh_model(), fresh_model().cuda()
    cpu, gpu = optimizer_of(on_cpu, config), optimizer_of(on_gpu, config)
    for step in range(6):
        cpu.zero_grad()
        torch.autograd.backward(loss_at(on_cpu, step))
        for mine, theirs in zip(on_gpu.parameters(), on_cpu.parameters(), strict=True):
            assert theirs.grad is not None
            mine.grad = theirs.grad.cuda()
        cpu.step()
        gpu.step()
    # float64 throughout, but for Muon's iteration, which torch does in bfloat16 (8 bits, five
    # rounds, times the rate 0.01 and the scale 0.2 √7).
    tolerance = 1e-2 if config.name == "muon" else 1e-12
    for mine, theirs in zip(on_gpu.parameters(), on_cpu.parameters(), strict=True):
        torch.testing.assert_close(mine.cpu(), theirs, rtol=tolerance, atol=tolerance)
