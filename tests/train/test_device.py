"""Nothing on the training path assumes the CPU."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import pytest
import torch
from torch import Tensor

from empirical.train.configuration import (
    AdamWConfig,
    NetworkConfig,
    OptimizerConfig,
    SGDConfig,
    SignSGDConfig,
    SoftSignSGDConfig,
    TrainConfig,
)
from empirical.train.loop import train
from empirical.train.network import GPT, build_network, sequence_losses
from empirical.train.text import corpus_from_bytes
from tests.device_mode import META, MixedDevicesError, RefuseMixedDevices

NETWORK = NetworkConfig(context=8, width=8, depth=1, heads=2)
OPTIMIZERS: dict[str, OptimizerConfig] = {
    "adamw": AdamWConfig(weight_decay=0.1),
    "sgd": SGDConfig(momentum=0.9),
    "signsgd": SignSGDConfig(),
    "softsignsgd": SoftSignSGDConfig(epsilon=0.1),
}
# With meta as the default a device written into the code stands out, with the CPU as the
# default a device forgotten does.
DEFAULTS: dict[str, Callable[[], AbstractContextManager[object]]] = {
    "default-meta": lambda: META,
    "default-cpu": nullcontext,
}


@pytest.mark.parametrize("default", DEFAULTS.values(), ids=DEFAULTS.keys())
@pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=OPTIMIZERS.keys())
@pytest.mark.parametrize("tied", [False, True], ids=["untied", "tied"])
def test_training_runs_on_another_device(
    optimizer: OptimizerConfig, tied: bool, default: Callable[[], AbstractContextManager[object]]
) -> None:
    """Another library: torch's own dispatcher sees every operation of a whole training run."""
    config = TrainConfig(steps=3, batch_size=2, optimizer=optimizer, heldout_sequences=300)
    with default(), RefuseMixedDevices():
        corpus = corpus_from_bytes(bytes(range(256)) * 100, name="counting", context=8)
        network = build_network(NETWORK.model_copy(update={"tied": tied}), 0, device=META)
        result = train(network, corpus, config, device=META, checkpoint_steps=(0, 3))
    assert all(weight.is_meta for weight in network.parameters())
    # Numbers read from the stand-in are ones.
    assert result.losses == (1.0, 1.0, 1.0)
    assert all(
        value.is_cpu for weights in result.checkpoints.values() for value in weights.values()
    )


class _ForgottenDevice(GPT):
    """Makes a tensor of its own where torch makes them by default."""

    def forward(self, tokens_BxT: Tensor) -> Tensor:
        positions = torch.arange(tokens_BxT.shape[-1])
        return super().forward(tokens_BxT) + self.position_embedding.weight[positions].sum()


class _WrittenDevice(GPT):
    """Makes a tensor of its own on the CPU, in so many words."""

    def forward(self, tokens_BxT: Tensor) -> Tensor:
        return super().forward(tokens_BxT) + torch.zeros(256, device="cpu")


@pytest.mark.parametrize(
    ("network", "default"),
    [
        pytest.param(_ForgottenDevice, nullcontext(), id="forgotten"),
        pytest.param(_WrittenDevice, nullcontext(), id="written"),
        pytest.param(_WrittenDevice, META, id="written-default-meta"),
    ],
)
def test_a_device_of_ones_own_is_caught(
    network: type[GPT], default: AbstractContextManager[object]
) -> None:
    """Negative control: the planted mistake is refused."""
    with default, RefuseMixedDevices(), pytest.raises(MixedDevicesError, match="mixes"):
        tokens = torch.zeros((2, 8), dtype=torch.int64, device=META)
        sequence_losses(network(NETWORK).to(META), tokens, tokens)


def test_a_generator_of_another_device_is_caught() -> None:
    """Negative control: a GPU refuses to draw from a generator of the CPU; so does the mode."""
    generator = torch.Generator(device="cpu")
    with RefuseMixedDevices():
        assert torch.randn(3, generator=generator, device="cpu").to(META).is_meta
        with pytest.raises(MixedDevicesError, match="a generator"):
            torch.randn(3, generator=generator, device=META)
        with pytest.raises(MixedDevicesError, match="a generator"):
            torch.zeros(3, device=META).normal_(generator=generator)


def test_the_stand_in_answers_with_ones() -> None:
    """Closed form: every reading of a meta tensor is one or true, in its dtype."""
    with RefuseMixedDevices():
        values = torch.zeros(3, device=META)
        assert values.sum().item() == 1.0
        assert values.tolist() == [1.0, 1.0, 1.0]
        assert values.double().cpu().numpy().tolist() == [1.0, 1.0, 1.0]
        assert bool((values > 0).all())
        assert torch.zeros(3).copy_(values).tolist() == [1.0, 1.0, 1.0]
        assert torch.zeros(3).to(META).is_meta
        assert values[values > 0].shape == (3,)
        assert values.nonzero().shape == (3, 1)
        assert (values * torch.tensor(2.0)).is_meta
        with pytest.raises(MixedDevicesError):
            values[torch.zeros(3, dtype=torch.int64)]
