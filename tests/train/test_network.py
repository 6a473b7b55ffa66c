"""The transformer against a plain numpy one, and its invariants."""

import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.special import erf, logsumexp
from torch import Tensor
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel

from empirical.train.configuration import NetworkConfig
from empirical.train.network import GPT, build_network, sequence_losses

Array = NDArray[np.float64]
SMALL = NetworkConfig(context=12, width=24, depth=3, heads=4)
NETWORKS = {
    "untied": SMALL,
    "tied": SMALL.model_copy(update={"tied": True}),
    "one-head": SMALL.model_copy(update={"heads": 1}),
    "a-head-per-entry": SMALL.model_copy(update={"heads": 24}),
}


def _perturbed(config: NetworkConfig) -> GPT:
    """A float64 network whose biases, norms and attention are far from their initial values."""
    network = build_network(config, 0, dtype=torch.float64)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for weight in network.parameters():
            weight.add_(0.3 * torch.randn(weight.shape, generator=generator, dtype=torch.float64))
    return network


def _tokens(count: int, context: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (count, context), generator=generator)


def _norm(x: Array, scale: Array, shift: Array) -> Array:
    centred = x - x.mean()
    normed: Array = scale * centred / np.sqrt((centred**2).mean() + 1e-5) + shift
    return normed


def _reference_losses(
    network: GPT, tokens: list[int], targets: list[int], temperature: float = 1.0
) -> Array:
    """Loss of each token of one sequence, one position and one head at a time."""
    weights = {name: value.numpy() for name, value in network.state_dict().items()}
    config = network.config
    size = config.width // config.heads
    stream = [
        weights["token_embedding.weight"][token] + weights["position_embedding.weight"][place]
        for place, token in enumerate(tokens)
    ]
    for depth in range(config.depth):
        w = {
            name.removeprefix(f"blocks.{depth}."): value
            for name, value in weights.items()
            if name.startswith(f"blocks.{depth}.")
        }
        normed = [_norm(x, w["attention_norm.weight"], w["attention_norm.bias"]) for x in stream]
        q, k, v = np.split(np.array(normed) @ w["attention.query_key_value.weight"].T, 3, axis=1)
        for place in range(len(tokens)):
            mixed = np.zeros(config.width)
            for head in range(config.heads):
                part = slice(head * size, (head + 1) * size)
                scores = k[: place + 1, part] @ q[place, part] / (temperature * math.sqrt(size))
                mixed[part] = np.exp(scores - logsumexp(scores)) @ v[: place + 1, part]
            x = stream[place] + w["attention.output.weight"] @ mixed
            inner = _norm(x, w["mlp_norm.weight"], w["mlp_norm.bias"])
            hidden = w["mlp_in.weight"] @ inner + w["mlp_in.bias"]
            hidden = hidden * (1 + erf(hidden / math.sqrt(2))) / 2
            stream[place] = x + w["mlp_out.weight"] @ hidden + w["mlp_out.bias"]
    unembedding = weights[f"{'token_embedding' if config.tied else 'unembedding'}.weight"]
    losses = []
    for x, target in zip(stream, targets, strict=True):
        logits = unembedding @ _norm(x, weights["final_norm.weight"], weights["final_norm.bias"])
        losses.append(logsumexp(logits) - logits[target])
    return np.array(losses)


@pytest.mark.parametrize("config", NETWORKS.values(), ids=NETWORKS.keys())
@pytest.mark.parametrize("length", [1, 7, 12], ids="T={}".format)
def test_losses_match_a_plain_network(config: NetworkConfig, length: int) -> None:
    """Brute force: the whole network in numpy, position by position; a 1 % error is seen."""
    network, tokens, targets = _perturbed(config), _tokens(3, length), _tokens(3, length, seed=1)
    losses = sequence_losses(network, tokens, targets).detach().numpy()
    pairs = list(zip(tokens.tolist(), targets.tolist(), strict=True))
    expected = [_reference_losses(network, *pair).mean() for pair in pairs]
    # Some hundred roundings of 1e-16 in a row, amplified by a network of gain about 10.
    np.testing.assert_allclose(losses, expected, rtol=1e-12)
    if length > 1:  # one token attends to itself at any temperature
        planted = [_reference_losses(network, *pair, temperature=1.01).mean() for pair in pairs]
        assert np.abs(losses - planted).max() > 1e-6


@pytest.mark.parametrize("config", NETWORKS.values(), ids=NETWORKS.keys())
def test_default_attention_is_the_math_attention(config: NetworkConfig) -> None:
    """Another library: torch's fused and its composite attention, values and gradients."""
    network, tokens, targets = _perturbed(config), _tokens(5, 12), _tokens(5, 12, seed=1)
    weights = list(network.parameters())
    loss = sequence_losses(network, tokens, targets).mean()
    gradients = torch.autograd.grad(loss, weights)
    with sdpa_kernel(SDPBackend.MATH):
        plain_loss = sequence_losses(network, tokens, targets).mean()
        plain_gradients = torch.autograd.grad(plain_loss, weights)
    # float64, a few hundred operations: 1e-16 times their number, with room for cancellation.
    torch.testing.assert_close(loss, plain_loss, rtol=1e-12, atol=0)
    torch.testing.assert_close(gradients, plain_gradients, rtol=1e-10, atol=1e-13)


def test_the_network_is_causal() -> None:
    """Closed form: another last token changes no logit before it, bit for bit, and its own."""
    network, tokens = _perturbed(SMALL), _tokens(2, 12)
    changed = tokens.clone()
    changed[:, 8] = (changed[:, 8] + 1) % 256
    logits, changed_logits = network(tokens), network(changed)
    assert torch.equal(logits[:, :8], changed_logits[:, :8])
    assert not torch.isclose(logits[:, 8:], changed_logits[:, 8:]).all(dim=-1).any()


def test_sequence_losses_are_means_over_tokens() -> None:
    """Closed form: their mean is the loss over all tokens; uniform logits give ln 256."""
    network, tokens, targets = _perturbed(SMALL), _tokens(4, 12), _tokens(4, 12, seed=1)
    losses = sequence_losses(network, tokens, targets)
    assert losses.shape == (4,)
    per_token = functional.cross_entropy(network(tokens).flatten(0, 1), targets.flatten())
    torch.testing.assert_close(losses.mean(), per_token, rtol=1e-13, atol=0)
    torch.testing.assert_close(
        losses[2:3], sequence_losses(network, tokens[2:3], targets[2:3]), rtol=1e-12, atol=0
    )
    uniform = sequence_losses(lambda x: torch.zeros(*x.shape, 256).double(), tokens, targets)
    torch.testing.assert_close(uniform, torch.full_like(uniform, math.log(256)))


def test_tied_weights_are_one_matrix() -> None:
    """Closed form: 256 W fewer weights; the one matrix gets the gradient of both uses."""
    tied, untied = (
        build_network(SMALL.model_copy(update={"tied": is_tied}), 0) for is_tied in (True, False)
    )
    size, tied_size = (sum(w.numel() for w in n.parameters()) for n in (untied, tied))
    assert size - tied_size == 256 * SMALL.width
    assert untied.unembedding is not None
    with torch.no_grad():
        untied.unembedding.weight.copy_(untied.token_embedding.weight)
    tied.load_state_dict(untied.state_dict(), strict=False)
    tokens, targets = _tokens(4, 12), _tokens(4, 12, seed=1)
    for network in (tied, untied):
        torch.autograd.backward(sequence_losses(network, tokens, targets).mean())
    gradients = [w.grad for w in (untied.token_embedding.weight, untied.unembedding.weight)]
    assert gradients[0] is not None and gradients[1] is not None
    # float32 sums of some dozens of terms near 0.01.
    torch.testing.assert_close(
        tied.token_embedding.weight.grad, gradients[0] + gradients[1], rtol=1e-4, atol=1e-7
    )


def test_the_default_network_has_136448_parameters() -> None:
    """Closed form: 2·256 W + T W + depth·(4 W² + 8 W² + 9 W) + 2 W."""
    config = NetworkConfig()
    width, expected = config.width, 0
    expected += 2 * 256 * width + config.context * width
    expected += config.depth * (12 * width**2 + 9 * width) + 2 * width
    assert sum(w.numel() for w in build_network(config, 0).parameters()) == expected == 136_448


def test_initial_weights_follow_their_law() -> None:
    """Monte Carlo: standard deviations of 4096 or more normal draws; biases 0, norms 1."""
    config = NetworkConfig(depth=8)
    for name, weight in build_network(config, 3).named_parameters():
        if weight.dim() == 1:
            constant = 1.0 if name.endswith("norm.weight") else 0.0
            assert torch.equal(weight, torch.full_like(weight, constant)), name
            continue
        residual = name.endswith(("attention.output.weight", "mlp_out.weight"))
        std = 0.02 / math.sqrt(2 * 8) if residual else 0.02
        # A sample deviation has standard error std / √(2n); 5 of them for some forty matrices.
        assert abs(weight.std().item() / std - 1) < 5 / math.sqrt(2 * weight.numel()), name
        assert abs(weight.mean().item() / std) < 5 / math.sqrt(weight.numel()), name


def test_initial_weights_depend_on_the_seed_alone() -> None:
    """Closed form: bit for bit the same, in float64 too; global random state untouched."""
    before = torch.random.get_rng_state()
    torch.manual_seed(5)
    state = torch.random.get_rng_state()
    try:
        first, other = build_network(SMALL, 0), build_network(SMALL, 1)
        double = build_network(SMALL, 0, dtype=torch.float64)
        assert torch.equal(torch.random.get_rng_state(), state)
        torch.manual_seed(6)
        again = build_network(SMALL, 0)
    finally:
        torch.random.set_rng_state(before)
    for name, weight in first.state_dict().items():
        assert torch.equal(weight, again.state_dict()[name])
        assert torch.equal(weight.double(), double.state_dict()[name])
    assert not torch.equal(first.token_embedding.weight, other.token_embedding.weight)
