"""Memory counted from shapes, against torch's own tensors."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Iterable
from math import prod
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import Parameter

from empirical.advise.memory import GIB, TRAININGS, Training, training_memory
from empirical.advise.memory_published import STATE_GIB
from empirical.advise.memory_shapes import (
    MODELS,
    Tensors,
    built_in,
    gpt2,
    llama,
    of_parameters,
    vit,
)
from empirical.advise.memory_state import adapters, optimizer_state
from empirical.train.configuration import NetworkConfig
from empirical.train.module_shapes import kept_for_backward
from empirical.train.network import build_network, sequence_losses
from empirical.train.optimizer_configuration import AdamWConfig, SGDSaIConfig, SoftSignSGDConfig
from empirical.train.optimizers import build_optimizer
from tests.advise.reference_models import Llama, VisionTransformer
from tests.device_mode import META, RefuseMixedDevices


@pytest.mark.parametrize(
    ("name", "parameters", "one_buffer", "adam"),
    [
        ("gpt2-1.5b", 1_557_611_200, 5.80, 11.61),
        ("llama2-7b", 6_738_415_616, 25.10, 50.21),
        ("gpt2-124m", 124_439_808, 0.46, 0.93),
        ("vit-s", 22_050_664, 0.08, 0.16),
        ("vit-h", 632_045_800, 2.35, 4.71),
    ],
)
def test_sizes_of_known_models(name: str, parameters: int, one_buffer: float, adam: float) -> None:
    """Closed form: published parameter counts; four bytes per number, to the digits given."""
    model = MODELS[name]()
    assert model.parameters == parameters
    for training, gib in (("sgdm", one_buffer), ("sgd-sai", one_buffer), ("adam", adam)):
        found = training_memory(model, TRAININGS[training])
        assert found.state is not None
        assert found.state / GIB == pytest.approx(gib, abs=0.005)
        assert found.parameters == found.gradients == 4 * parameters


def test_the_published_figures_are_near_and_not_consistent() -> None:
    """Another library: the article's table is within 4 % of the shapes, and not of itself."""
    for (name, training), gib in STATE_GIB.items():
        found = training_memory(MODELS[name](), TRAININGS[training])
        assert found.state is not None
        # Half of the last digit printed, 0.005 of 0.08, comes on top for ViT-S.
        assert gib == pytest.approx(found.state / GIB, rel=0.04, abs=0.005)
    assert STATE_GIB["llama2-7b", "adam"] != 2 * STATE_GIB["llama2-7b", "sgdm"]
    assert STATE_GIB["gpt2-1.5b", "adam"] == 2 * STATE_GIB["gpt2-1.5b", "sgdm"]


def _named(tensors: Tensors, device: torch.device | str) -> list[tuple[str, Parameter]]:
    made = [(name, Parameter(torch.ones(shape, device=device))) for name, shape in tensors]
    for _, parameter in made:
        parameter.grad = torch.ones_like(parameter)
    return made


def _state_bytes(values: Iterable[dict[str, object]]) -> int:
    return sum(
        tensor.numel() * tensor.element_size()
        for state in values
        for tensor in state.values()
        if isinstance(tensor, Tensor)
    )


def _trained(model: str, training: Training) -> Tensors:
    shape = MODELS[model]()
    return shape.tensors if training.lora_rank is None else adapters(shape, training.lora_rank)


@pytest.mark.parametrize("training", TRAININGS.values(), ids=TRAININGS.keys())
@pytest.mark.parametrize("model", ["built-in", "vit-s"])
def test_the_state_is_what_torch_allocates(model: str, training: Training) -> None:
    """Another library: the tensors of the real optimizer after one step, on models that fit."""
    tensors = _trained(model, training)
    optimizer = build_optimizer(_named(tensors, "cpu"), training.optimizer, 1e-3)
    optimizer.step()
    real = _state_bytes(optimizer.state.values())
    counted = training_memory(MODELS[model](), training).state
    assert counted is not None
    assert counted == pytest.approx(real, rel=0.01)  # wanted
    assert counted == real  # and there is nothing to round
    if real:
        assert 1.011 * counted != pytest.approx(real, rel=0.01)  # negative control


def _large() -> list[Any]:
    """Models that do not fit, times optimizers; those that torch steps slowly are slow here."""
    return [
        pytest.param(
            model,
            training,
            id=f"{model}-{name}",
            marks=pytest.mark.slow if name in ("muon", "adafactor", "lora-adam") else (),
        )
        for model in ("gpt2-1.5b", "llama2-7b", "vit-h")
        for name, training in TRAININGS.items()
    ]


@pytest.mark.parametrize(("model", "training"), _large())
def test_the_state_of_large_models_is_what_torch_would_allocate(
    model: str, training: Training
) -> None:
    """Another library: the same real optimizers, on tensors without memory."""
    tensors = _trained(model, training)
    with RefuseMixedDevices():
        optimizer = build_optimizer(_named(tensors, META), training.optimizer, 1e-3)
        optimizer.step()
    counted = training_memory(MODELS[model](), training).state
    assert counted == _state_bytes(optimizer.state.values())


@pytest.mark.parametrize(
    "config",
    [
        SoftSignSGDConfig(epsilon=1.0),
        SoftSignSGDConfig(epsilon=1.0, first_decay=0.9),
        SGDSaIConfig(momentum=0.0),
        SGDSaIConfig(momentum_half_life_tokens=1e6),
        AdamWConfig(),
    ],
    ids=["softsignsgd", "softsignsgd-average", "sgd-sai-0", "sgd-sai-half-life", "adamw"],
)
def test_other_configurations_keep_what_torch_allocates(
    config: SoftSignSGDConfig | SGDSaIConfig | AdamWConfig,
) -> None:
    """Another library: averages that are switched off keep nothing."""
    tensors = MODELS["built-in"]().tensors
    optimizer = build_optimizer(_named(tensors, "cpu"), config, 1e-3, tokens_per_step=64.0)
    optimizer.step()
    state = optimizer_state(config, tensors)
    # SoftSignSGD counts its steps in Python, not in a tensor.
    assert state.bytes(4) == _state_bytes(optimizer.state.values())


def _shapes(model: nn.Module) -> Counter[tuple[int, ...]]:
    return Counter(tuple(parameter.shape) for parameter in model.parameters())


def test_shapes_are_those_of_real_models() -> None:
    """Another library: the same models of torch layers, shape by shape."""
    with META:
        real = {
            "llama2-7b": Llama(32, 4096, 11008, 32),
            "vit-s": VisionTransformer(12, 384, 6, 16),
            "vit-h": VisionTransformer(32, 1280, 16, 14),
            "built-in": build_network(NetworkConfig(), 0),
        }
    for name, model in real.items():
        assert Counter(shape for _, shape in MODELS[name]().tensors) == _shapes(model)


def test_shapes_are_those_of_the_models_that_people_download() -> None:
    """Another library: transformers' GPT-2, Llama and ViT of the published configurations."""
    hub = pytest.importorskip("transformers", reason="transformers is not installed")
    with META:
        real = {
            "gpt2-1.5b": hub.GPT2LMHeadModel(hub.GPT2Config(n_embd=1600, n_layer=48, n_head=25)),
            "llama2-7b": hub.LlamaForCausalLM(hub.LlamaConfig(tie_word_embeddings=False)),
            "vit-s": hub.ViTForImageClassification(
                hub.ViTConfig(
                    hidden_size=384, num_attention_heads=6, intermediate_size=1536, num_labels=1000
                )
            ),
        }
    for name, model in real.items():
        mine = MODELS[name]()
        assert sum(p.numel() for p in model.parameters()) == mine.parameters
        if name != "vit-s":  # whose query, key and value are three matrices there
            # GPT-2's matrices lie the other way round there.
            theirs = Counter(tuple(sorted(shape)) for shape in _shapes(model).elements())
            assert Counter(tuple(sorted(shape)) for _, shape in mine.tensors) == theirs


def _kept(model: nn.Module, *inputs: Tensor) -> int:
    return kept_for_backward(lambda: model(*inputs), model.parameters())


@pytest.mark.parametrize(("sequences", "context"), [(2, 32), (5, 17)])
@pytest.mark.parametrize("tied", [False, True])
def test_activations_of_the_built_in_network(sequences: int, context: int, tied: bool) -> None:
    """Another library: what autograd really keeps between forward and backward."""
    config = NetworkConfig(context=context, width=48, depth=3, heads=4, tied=tied)
    network = build_network(config, 0)
    tokens = torch.zeros(sequences, context, dtype=torch.int64)
    real = kept_for_backward(
        lambda: sequence_losses(network, tokens, tokens.clone()).mean(), network.parameters()
    )
    shape = built_in(48, 3, 4, context=context, tied=tied)
    counted = training_memory(shape, TRAININGS["sgd"], sequences=sequences).activations
    assert counted == pytest.approx(real, abs=64)  # a few single numbers of the loss


def test_activations_of_the_other_shapes() -> None:
    """Another library: small members of the same families, kept by autograd."""
    tokens = torch.zeros(2, 24, dtype=torch.int64)
    images = torch.zeros(2, 3, 224, 224)
    cases = [
        (Llama(2, 64, 176, 4), (tokens, tokens.clone()), llama("small", 2, 64, 176, 4), 24),
        (
            VisionTransformer(2, 64, 4, 32),
            (images, torch.zeros(2, dtype=torch.int64)),
            vit("small", 2, 64, 4, 32),
            None,
        ),
    ]
    for model, inputs, shape, context in cases:
        assert sum(p.numel() for p in model.parameters()) == shape.parameters
        counted = training_memory(shape, TRAININGS["sgd"], sequences=2, context=context).activations
        assert counted is not None
        assert counted == pytest.approx(_kept(model, *inputs), rel=0.01)
        assert 1.03 * counted != pytest.approx(_kept(model, *inputs), rel=0.01)  # negative control


def test_activations_of_gpt2_as_people_run_it() -> None:
    """Another library: transformers' GPT-2 with fused attention, torch's gelu and no dropout."""
    hub = pytest.importorskip("transformers", reason="transformers is not installed")
    config = hub.GPT2Config(
        n_embd=64,
        n_layer=2,
        n_head=4,
        activation_function="gelu",
        attn_implementation="sdpa",
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
        use_cache=False,
    )
    model = hub.GPT2LMHeadModel(config)
    tokens = torch.zeros(2, 24, dtype=torch.int64)
    body = kept_for_backward(lambda: model.transformer(tokens), model.parameters())
    shape = gpt2("small", 2, 64, 4)
    counted = training_memory(shape, TRAININGS["sgd"], sequences=2, context=24).activations
    assert counted is not None
    # The head and the loss keep the last norm's output, the logarithms and the targets.
    head = 2 * 24 * (4 * (64 + 50257) + 8)
    assert counted - head == pytest.approx(body, rel=0.03)


def test_bfloat16_halves_and_accumulation_costs_nothing() -> None:
    """Closed form: two bytes per number; the state may stay in float32."""
    model = MODELS["gpt2-124m"]()
    full = training_memory(model, TRAININGS["adam"], sequences=4)
    half = training_memory(model, TRAININGS["adam"], sequences=4, precision="bfloat16")
    mixed = training_memory(
        model, TRAININGS["adam"], precision="bfloat16", state_precision="float32"
    )
    assert 2 * half.parameters == full.parameters
    assert mixed.state == full.state
    assert full.activations is not None
    assert half.activations is not None
    indices = 4 * 1024 * 16
    assert 2 * (half.activations - indices) == full.activations - indices
    assert full.total == full.parameters * 2 + (full.state or 0) + full.activations


def test_adapters_are_two_thin_matrices_per_hidden_matrix() -> None:
    """Brute force: rank times rows and columns, counted one by one; the rest is frozen."""
    model = MODELS["built-in"]()
    found = training_memory(model, Training(AdamWConfig(), 8))
    hidden = [(192, 64), (64, 64), (256, 64), (64, 256)] * 2
    numbers = sum(8 * (rows + columns) for rows, columns in hidden)
    assert found.gradients == 4 * numbers
    assert found.parameters == 4 * (model.parameters + numbers)
    # Two factors per matrix, a step count each.
    assert found.state == 8 * numbers + 4 * 2 * len(hidden)


def test_from_a_number_of_parameters_alone_little_follows() -> None:
    """Closed form: what needs shapes says so, with None and a reason."""
    model = of_parameters(1000)
    adam = training_memory(model, TRAININGS["adam"])
    assert (adam.state, adam.total, adam.unknown) == (8004, 16004, "")
    for name in ("adafactor", "muon", "lora-adam"):
        found = training_memory(model, TRAININGS[name])
        assert (found.state, found.total) == (None, None)
        assert "needs the shapes" in found.unknown
    active = training_memory(model, TRAININGS["adam"], sequences=2)
    assert (active.activations, active.total) == (None, None)
    assert "activations need" in active.unknown


def test_counting_needs_no_torch() -> None:
    """Brute force: a fresh interpreter counts everything without importing torch."""
    code = (
        "import sys; from empirical.advise.memory import *; from empirical.advise.memory_shapes "
        "import MODELS; [training_memory(m(), t, sequences=1) for m in MODELS.values() for t in "
        "TRAININGS.values()]; sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_every_tensor_is_named_once() -> None:
    """Closed form: names tell roles, so two of one name would be a mistake."""
    for make in MODELS.values():
        names = [name for name, _ in make().tensors]
        assert len(set(names)) == len(names)
        assert all(prod(shape) > 0 for _, shape in make().tensors)
