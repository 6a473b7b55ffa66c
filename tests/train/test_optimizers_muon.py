"""Muon for hidden matrices, AdamW for the rest."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.optim import AdamW, Muon

from empirical.errors import UsageError
from empirical.train.configuration import NetworkConfig
from empirical.train.network import build_network
from empirical.train.optimizer_configuration import MuonConfig
from empirical.train.optimizers import MuonWithAdamW, build_optimizer
from empirical.train.parameter_roles import is_hidden_matrix
from tests.train.optimizer_cases import fresh_model, optimizer_of, trained


@pytest.mark.parametrize(
    ("name", "shape", "hidden"),
    [
        ("blocks.0.attention.query_key_value.weight", (192, 64), True),
        ("blocks.1.mlp_out.weight", (64, 256), True),
        ("transformer.h.3.attn.c_attn.weight", (768, 2304), True),
        ("model.layers.0.self_attn.q_proj.weight", (4096, 4096), True),
        ("encoder.layers.encoder_layer_0.mlp.0.weight", (1536, 384), True),
        ("blocks.0.attention.heads_mixed.weight", (64, 64), True),
        ("token_embedding.weight", (256, 64), False),
        ("unembedding.weight", (256, 64), False),
        ("transformer.wte.weight", (50257, 768), False),
        ("transformer.wpe.weight", (1024, 768), False),
        ("lm_head.weight", (50257, 768), False),
        ("model.embed_tokens.weight", (32000, 4096), False),
        ("heads.head.weight", (1000, 384), False),
        ("head.weight", (1000, 384), False),
        ("classifier.weight", (2, 768), False),
        ("final_norm.weight", (64,), False),
        ("conv_proj.weight", (384, 3, 16, 16), False),
        ("blocks.0.gate.weight", (1, 64), False),
    ],
)
def test_roles_of_usual_names(name: str, shape: tuple[int, ...], hidden: bool) -> None:
    """Closed form: as nanoGPT, transformers, torchvision, timm and this project write them."""
    assert is_hidden_matrix(name, shape) is hidden


def test_the_built_in_network_is_divided_as_the_docstring_says() -> None:
    """Closed form: four matrices per block go to Muon, everything else to AdamW."""
    network = build_network(NetworkConfig(width=16, heads=2, depth=2), 0)
    optimizer = build_optimizer(network, MuonConfig(), 0.01)
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    rules = {
        names[id(parameter)]: group["rule"]
        for group in optimizer.param_groups
        for parameter in group["params"]
    }
    assert rules.keys() == set(names.values())
    hidden = {name for name, rule in rules.items() if rule == "muon"}
    parts = ("attention.query_key_value", "attention.output", "mlp_in", "mlp_out")
    assert hidden == {f"blocks.{k}.{part}.weight" for k in range(2) for part in parts}


@pytest.mark.parametrize("scale", ["adamw", "original"])
def test_every_step_is_that_of_the_two_optimizers(scale: str) -> None:
    """Another library: torch's Muon and AdamW side by side, bit by bit."""
    config = MuonConfig.model_validate(
        {"scale": scale, "momentum": 0.8, "second_decay": 0.9, "weight_decay": 0.1}
    )
    one, other = fresh_model(), fresh_model()
    ours = trained(one, optimizer_of(one, config, learning_rate=0.05), range(5))
    adjust = {"adamw": "match_rms_adamw", "original": "original"}[scale]
    muon = Muon([other.hidden.weight], lr=0.05, momentum=0.8, weight_decay=0.1, adjust_lr_fn=adjust)
    rest = [p for name, p in other.named_parameters() if name != "hidden.weight"]
    adamw = AdamW(rest, lr=0.05, betas=(0.9, 0.9), eps=1e-8, weight_decay=0.1)
    for step in range(5):
        adamw.zero_grad()
        trained(other, muon, range(step, step + 1))
        adamw.step()
    theirs = dict(other.state_dict())
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_updates_have_the_size_of_adamw() -> None:
    """Closed form: rms 0.2 of the learning rate per entry of a matrix, whatever its shape."""
    generator = torch.Generator().manual_seed(0)
    for shape in ((40, 160), (100, 100), (256, 32)):
        model = nn.Linear(shape[1], shape[0], bias=False)
        before = model.weight.detach().clone()
        model.weight.grad = torch.randn(shape, generator=generator)
        build_optimizer(model, MuonConfig(), 0.01).step()
        rms = (model.weight.detach() - before).square().mean().sqrt().item()
        # Five Newton-Schulz rounds leave singular values between about 0.7 and 1.2.
        assert rms == pytest.approx(0.2 * 0.01, rel=0.3)


def test_names_are_asked_for() -> None:
    """Closed form: without names there is no telling an embedding from a hidden matrix."""
    model = fresh_model()
    with pytest.raises(UsageError, match=r"without names for muon.*give the model itself"):
        build_optimizer(model.parameters(), MuonConfig(), 0.01)
    build_optimizer(model.named_parameters(), MuonConfig(), 0.01)
    with pytest.raises(UsageError, match="no parameters for muon"):
        build_optimizer(nn.Tanh(), MuonConfig(), 0.01)


def test_a_group_says_which_rule_it_follows() -> None:
    """Closed form: a group without a rule is refused, and so is a vector for Muon."""
    model = fresh_model()
    optimizer = MuonWithAdamW([model.hidden.weight], [model.hidden.bias], 0.01)
    with pytest.raises(ValueError, match=r"rule None, wanted one of muon, adamw"):
        optimizer.add_param_group({"params": [model.shift]})
    with pytest.raises(ValueError, match="2D parameters"):
        MuonWithAdamW([model.shift], [], 0.01)
