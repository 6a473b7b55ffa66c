"""Three models, trained as anybody would: torch's AdamW with its defaults, nothing tuned."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from empirical.train.batches import distinct_sequences, sample_sequences
from empirical.train.configuration import NetworkConfig
from empirical.train.network import VOCABULARY, build_network, sequence_losses
from empirical.train.randomness import private_generator
from empirical.train.text import Corpus, load_text

CPU = torch.device("cpu")


@dataclass(frozen=True)
class Plan:
    """How much to train and measure.

    steps: of training. train_batch: samples a step. pool: samples that SoftSignSGD is measured on:
    prediction and truth both refer to it. wide_pool: the same for AdamW, whose line search judges
    on samples that made no update, so that the pool has to stand for all of the data.
    batch_sizes: in samples. batches: M, real batches behind the truth at each of them.
    epsilon_ratios: over the rms sigma of one sample. deviations: K of the prediction.
    micro_batch: samples per gradient of the pass. searches: real steps of AdamW's line search,
    each looked at on search_samples.
    """

    steps: int
    train_batch: int
    pool: int
    wide_pool: int
    batch_sizes: tuple[int, ...]
    batches: tuple[int, ...]
    epsilon_ratios: tuple[float, ...]
    deviations: int
    micro_batch: int
    searches: int
    search_samples: int


@dataclass(frozen=True, eq=False)
class Subject:
    """A trained model, the optimizer that trained it, and pools of its training data.

    loss: (model, batch) -> mean loss; None where the model returns it. first_loss, last_loss: means
    over 20 training batches.
    """

    name: str
    model: nn.Module
    optimizer: torch.optim.AdamW
    pool: Any
    wide_pool: Any
    loss: Callable[[nn.Module, Any], Tensor] | None
    first_loss: float
    last_loss: float


NextBatch = Callable[[torch.Generator], Any]


def trained(
    name: str,
    model: nn.Module,
    next_batch: NextBatch,
    pools: tuple[Any, Any],
    loss: Callable[[nn.Module, Any], Tensor] | None,
    plan: Plan,
    seed: int,
) -> Subject:
    """The model after plan.steps steps of torch.optim.AdamW(model.parameters())."""
    optimizer = torch.optim.AdamW(model.parameters())
    rng = private_generator(seed, f"training batches of {name}")
    losses = []
    model.train()
    for _ in range(plan.steps):
        batch = next_batch(rng)
        value = model(**batch).loss if loss is None else loss(model, batch)
        optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(value)
        optimizer.step()
        losses.append(float(value.detach()))
    few = max(1, min(20, plan.steps // 4))
    first, last = sum(losses[:few]) / few, sum(losses[-few:]) / few
    return Subject(name, model.eval(), optimizer, *pools, loss, first, last)


def digits_mlp(plan: Plan, seed: int, width: int = 64) -> Subject:
    """A two-layer perceptron that classifies scikit-learn's digits (8 x 8 pixels)."""
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    order = torch.randperm(len(images), generator=private_generator(seed, "order of the digits"))
    x = (torch.tensor(images, dtype=torch.float32) / 16)[order][: plan.pool]
    y = torch.tensor(labels, dtype=torch.long)[order][: plan.pool]
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Linear(64, width), nn.ReLU(), nn.Linear(width, 10))

    def next_batch(rng: torch.Generator) -> tuple[Tensor, Tensor]:
        picked = torch.randint(len(x), (plan.train_batch,), generator=rng)
        return x[picked], y[picked]

    def loss(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
        return functional.cross_entropy(model(batch[0]), batch[1])

    return trained("MLP on digits", model, next_batch, ((x, y), (x, y)), loss, plan, seed)


def hugging_face_gpt2(plan: Plan, seed: int, layers: int = 6, width: int = 128) -> Subject:
    """GPT2LMHeadModel from its configuration (no download) on bytes of the embedded text."""
    from transformers import GPT2Config, GPT2LMHeadModel

    context = 64
    torch.manual_seed(seed)
    config = GPT2Config(
        vocab_size=VOCABULARY, n_positions=context, n_embd=width, n_layer=layers, n_head=4,
        bos_token_id=0, eos_token_id=0,
    )  # fmt: skip
    corpus = load_text(context=context)

    def next_batch(rng: torch.Generator) -> dict[str, Tensor]:
        return _dicts(sample_sequences(corpus.train, plan.train_batch, context, rng, device=CPU)[0])

    tight, wide = (_dicts(pool[0]) for pool in _pools(corpus, plan, context, seed))
    return trained(
        "Hugging Face GPT-2", GPT2LMHeadModel(config), next_batch, (tight, wide), None, plan, seed
    )


def built_in_gpt(plan: Plan, seed: int, layers: int = 8, width: int = 320) -> Subject:
    """The project's own network on the embedded text."""
    context = 32
    config = NetworkConfig(context=context, width=width, depth=layers, heads=4)
    corpus = load_text(context=context)

    def next_batch(rng: torch.Generator) -> tuple[Tensor, Tensor]:
        return sample_sequences(corpus.train, plan.train_batch, context, rng, device=CPU)

    def loss(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
        return sequence_losses(model, batch[0], batch[1]).mean()

    pools = _pools(corpus, plan, context, seed)
    return trained("built-in GPT", build_network(config, seed), next_batch, pools, loss, plan, seed)


def _pools(corpus: Corpus, plan: Plan, context: int, seed: int) -> tuple[Any, Any]:
    """The pool and the wide pool."""

    def drawn(count: int, purpose: str) -> tuple[Tensor, Tensor]:
        rng = private_generator(seed, purpose)
        return distinct_sequences(corpus.train, count, context, rng, device=CPU)

    return drawn(plan.pool, "pool"), drawn(plan.wide_pool, "wide pool")


def _dicts(tokens: Tensor) -> dict[str, Tensor]:
    """As transformers wants it: it shifts the labels itself."""
    return {"input_ids": tokens, "labels": tokens}
