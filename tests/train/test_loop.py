"""The training loop: it learns, it repeats, it stops when it diverges."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from empirical.errors import UsageError
from empirical.train import loop
from empirical.train.batches import sample_sequences
from empirical.train.configuration import (
    LARGEST,
    AdamWConfig,
    NetworkConfig,
    OptimizerConfig,
    SGDConfig,
    SignSGDConfig,
    SoftSignSGDConfig,
    TrainConfig,
)
from empirical.train.loop import DivergedError, StepReport, TrainResult, learning_rate_at, train
from empirical.train.network import GPT, build_network
from empirical.train.randomness import private_generator
from empirical.train.text import Corpus, corpus_from_bytes

CPU = torch.device("cpu")
NETWORK = NetworkConfig(context=16, width=16, depth=1, heads=2)


def _four_letters(size: int = 40_000) -> Corpus:
    """Independent letters, four of them equally likely: no text has less to learn."""
    letters = torch.randint(4, (size,), generator=private_generator(0, "letters"))
    return corpus_from_bytes(bytes((97 + letters).tolist()), name="four letters", context=16)


def _run(config: TrainConfig, **options: Any) -> tuple[GPT, TrainResult]:
    network = build_network(NETWORK, 0)
    return network, train(network, _four_letters(), config, device=CPU, **options)


@pytest.mark.parametrize(
    ("optimizer", "learning_rate"),
    [
        (AdamWConfig(), 1e-2),
        (SGDConfig(momentum=0.9), 0.1),
        (SignSGDConfig(), 1e-3),
        (SoftSignSGDConfig(epsilon=1e-3), 2e-3),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_the_loss_falls_to_the_entropy(optimizer: OptimizerConfig, learning_rate: float) -> None:
    """Planted parameter: of independent letters nothing can be known but their four odds."""
    config = TrainConfig(
        steps=250,
        learning_rate=learning_rate,
        warmup_steps=20,
        optimizer=optimizer,
        heldout_sequences=200,
    )
    network, result = _run(config)
    # The start is uniform over 256 up to the square of the small logits.
    assert abs(result.losses[0] - math.log(256)) < 0.05
    loss = result.heldout_loss
    assert loss.samples == 200
    # The held-out letters are not used in exactly equal numbers: 4 standard errors of room.
    assert math.log(4) - 4 * loss.standard_error < loss.value < math.log(4) + 0.05
    assert loss.standard_error < 0.01
    assert not network.training


def test_two_runs_agree_bit_by_bit() -> None:
    """Closed form: equality, whatever the global random state; another seed differs."""
    config = TrainConfig(steps=30, warmup_steps=5, heldout_sequences=50)
    torch.manual_seed(1)
    _, first = _run(config, checkpoint_steps=(30,))
    torch.manual_seed(2)
    _, second = _run(config, checkpoint_steps=(30,))
    assert first.losses == second.losses
    assert first.heldout_loss == second.heldout_loss
    for name, weight in first.checkpoints[30].items():
        assert torch.equal(weight, second.checkpoints[30][name])
    _, other = _run(config.model_copy(update={"seed": 1}))
    assert other.losses != first.losses


def test_checkpoints_are_the_weights_of_shorter_runs() -> None:
    """Brute force: the run is repeated up to each checkpoint; no later step touches one."""
    config = TrainConfig(steps=25, warmup_steps=5, heldout_sequences=50)
    network, result = _run(config, checkpoint_steps=(0, 7, 25))
    assert list(result.checkpoints) == [0, 7, 25]
    shorter, _ = _run(config.model_copy(update={"steps": 7}))
    expected = {0: build_network(NETWORK, 0), 7: shorter, 25: network}
    for step, weights in result.checkpoints.items():
        assert weights.keys() == expected[step].state_dict().keys()
        for name, weight in expected[step].state_dict().items():
            assert torch.equal(weights[name], weight)
            assert weights[name].data_ptr() != weight.data_ptr()


def test_every_step_is_reported_once_in_order() -> None:
    """Closed form: step numbers, the losses of the result, warm-up from 1/4 and then constant."""
    reports: list[StepReport] = []
    config = TrainConfig(steps=45, warmup_steps=4, learning_rate=0.004, heldout_sequences=50)
    _, result = _run(config, on_step=reports.append, checkpoint_steps=(3, 11))
    assert [report.step for report in reports] == list(range(1, 46))
    assert tuple(report.loss for report in reports) == result.losses
    rates = [report.learning_rate for report in reports]
    assert rates == pytest.approx([0.001, 0.002, 0.003] + 42 * [0.004], rel=1e-15)
    assert learning_rate_at(1, config.model_copy(update={"warmup_steps": 0})) == 0.004


@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-5), ("bfloat16", 0.02)])
def test_other_precisions_train_alike(dtype: str, tolerance: float) -> None:
    """Another route: same weights and batches in another arithmetic, over twenty steps.

    Rounding errors of 6e-8 (float32) and 4e-3 (bfloat16, averaged over 256 tokens) grow with
    the steps; the tolerance leaves them a factor of ten or more.
    """
    config = TrainConfig(steps=20, warmup_steps=10, heldout_sequences=50)
    _, single = _run(config)
    network, other = _run(config.model_copy(update={"dtype": dtype}), checkpoint_steps=(20,))
    assert other.losses != single.losses
    assert other.losses == pytest.approx(single.losses, rel=tolerance)
    expected = torch.float64 if dtype == "float64" else torch.float32
    assert {weight.dtype for weight in network.parameters()} == {expected}
    assert {weight.dtype for weight in other.checkpoints[20].values()} == {expected}


def test_a_compiled_run_is_the_same_run() -> None:
    """Another library: torch.compile's tracer in front of the same kernels, equal bit by bit."""
    config = TrainConfig(steps=5, heldout_sequences=300)
    _, plain = _run(config)
    _, traced = _run(config.model_copy(update={"compile_backend": "eager"}))
    assert traced.losses == plain.losses
    assert traced.heldout_loss == plain.heldout_loss


@pytest.mark.slow
# torch's compiler imports a part of torch that torch itself deprecates.
@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
def test_a_run_compiled_to_machine_code_is_nearly_the_same() -> None:
    """Another library: torch's compiler, whose fused kernels round differently in float32."""
    config = TrainConfig(steps=5, heldout_sequences=300)
    _, plain = _run(config)
    _, fused = _run(config.model_copy(update={"compile_backend": "inductor"}))
    assert fused.losses == pytest.approx(plain.losses, rel=1e-4)


def test_divergence_is_an_error() -> None:
    """Closed form: it names the first step without a finite loss; earlier ones are reported."""
    reports: list[StepReport] = []
    config = TrainConfig(
        steps=50, warmup_steps=0, learning_rate=1e30, optimizer=SGDConfig(), heldout_sequences=50
    )
    with pytest.raises(DivergedError, match=r"diverged at step 2 .*; lower the learning") as error:
        _run(config, on_step=reports.append)
    assert isinstance(error.value, UsageError)
    assert (error.value.step, error.value.learning_rate) == (2, 1e30)
    assert not math.isfinite(error.value.loss)
    assert [report.step for report in reports] == [1]


def test_a_diverged_run_stops_within_twenty_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Brute force: batches are counted; the loss of step 2 is read after step 20."""
    batches = []

    def counting(*args: Any, **options: Any) -> tuple[Tensor, Tensor]:
        batches.append(args)
        return sample_sequences(*args, **options)

    monkeypatch.setattr(loop, "sample_sequences", counting)
    with pytest.raises(DivergedError, match="step 2 "):
        _run(
            TrainConfig(
                steps=500,
                warmup_steps=0,
                learning_rate=LARGEST,
                optimizer=SGDConfig(),
                heldout_sequences=50,
            )
        )
    assert len(batches) == 20


def test_a_broken_weight_is_no_checkpoint() -> None:
    """Planted mistake: NaN in the row of a byte that the text has not, which no loss shows."""
    network = build_network(NETWORK, 0)
    with torch.no_grad():
        network.token_embedding.weight[0] = math.nan
    config = TrainConfig(steps=5, heldout_sequences=50)
    with pytest.raises(DivergedError, match="step 3 ") as error:
        train(network, _four_letters(), config, device=CPU, checkpoint_steps=(3,))
    assert math.isfinite(error.value.loss)


@pytest.mark.parametrize("weight_decay", [0.0, 1e30], ids=["held-out-loss", "weights"])
@pytest.mark.parametrize("checkpoint_steps", [(), (1,)], ids=["no-checkpoint", "checkpoint"])
def test_a_last_update_that_diverges_is_an_error(
    weight_decay: float, checkpoint_steps: tuple[int, ...]
) -> None:
    """Closed form: a run of one step has a finite loss; what its update broke is still seen."""
    config = TrainConfig(
        steps=1,
        warmup_steps=0,
        learning_rate=LARGEST,
        optimizer=SignSGDConfig(weight_decay=weight_decay),
        heldout_sequences=50,
    )
    with pytest.raises(DivergedError, match="step 1 ") as error:
        _run(config, checkpoint_steps=checkpoint_steps)
    assert error.value.step == 1


@pytest.mark.parametrize(
    "optimizer",
    [
        AdamWConfig(),
        SGDConfig(momentum=0.9),
        SignSGDConfig(),
        SoftSignSGDConfig(epsilon=1e-30),
    ],
    ids=str,
)
def test_the_largest_learning_rate_diverges_in_words(optimizer: OptimizerConfig) -> None:
    """Closed form: no optimizer answers an absurd learning rate with an error of torch's own."""
    config = TrainConfig(
        steps=25,
        warmup_steps=0,
        learning_rate=LARGEST,
        optimizer=optimizer,
        heldout_sequences=50,
    )
    with pytest.raises(DivergedError):
        _run(config)


@pytest.mark.parametrize("step", [-1, 11])
def test_a_checkpoint_out_of_reach_is_refused(step: int) -> None:
    """Closed form: before any training."""
    config = TrainConfig(steps=10, heldout_sequences=50)
    with pytest.raises(UsageError, match=f"step {step} of a run of 10 steps, wanted 0 to 10"):
        _run(config, checkpoint_steps=(5, step))


def test_a_text_too_short_for_the_run_is_refused() -> None:
    """Closed form: a context longer than a part, and more sequences than a part has."""
    config = TrainConfig(steps=10, heldout_sequences=100)
    short = corpus_from_bytes(b"abcd" * 50, name="short")
    network = build_network(NETWORK.model_copy(update={"context": 32}), 0)
    with pytest.raises(UsageError, match="a context of 32 wants at least 33 bytes"):
        train(network, short, config, device=CPU)
    with pytest.raises(UsageError, match="4 distinct sequences of context 16, wanted 100"):
        train(build_network(NETWORK, 0), short, config, device=CPU)
