"""What peers take for the same on the same network, in an environment of their own.

curvlinops, hessian-eigenthings and Opacus live in `.venv-peers` (their dependencies would replace
the CPU build of torch). A process of that environment waits for its turns: `Peers.round` has it
time one round, between rounds of ours. `python -m empirical.bench.peers` is that process.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

ENVIRONMENT = "PEERS_PYTHON"
"""Environment variable: the python of the peers' environment."""

PLACE = Path(".venv-peers/bin/python")
MISSING = "not measured: no .venv-peers, make it with make peers"
SEQUENCES = 32
"""Sequences that a peer works on: more of them only repeat the same."""


class Peers:
    """The process of the peers' environment, while it is needed."""

    def __init__(self) -> None:
        python = Path(os.environ.get(ENVIRONMENT, str(PLACE)))
        self.process: subprocess.Popen[str] | None = None
        if python.is_file():
            # the peers warn of their own; what they print must not be taken for an answer
            command = [str(python), "-W", "ignore", "-m", "empirical.bench.peers"]
            # this code, whether or not it is installed there
            environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
            self.process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.communicate()  # closes the pipes, broken or not

    def round(self) -> dict[str, float | str]:
        """Cost in gradients by name of the peer, or why there is none; {} without a process."""
        if self.process is None or self.process.stdin is None or self.process.stdout is None:
            return {}
        try:
            self.process.stdin.write("round\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            # it ended; why, it has said itself
            return {}
        answer = self.process.stdout.readline()
        if not answer:
            return {}
        found: dict[str, float | str] = json.loads(answer)
        return found


def serve() -> None:
    """Answer every line of stdin with the costs of a round, as one line of JSON."""
    from empirical.bench.gradient_cost import (
        fastest_chunk,
        plain_gradient,
        reference_subject,
        round_costs,
    )

    answers, sys.stdout = sys.stdout, sys.stderr
    subject = reference_subject(SEQUENCES)
    chunk = fastest_chunk(subject)
    cases: dict[str, Callable[[], object]] = {}
    refused: dict[str, str] = {}
    makers: dict[str, Callable[[Any], Callable[[], object]]] = {
        "Opacus": _opacus,
        "curvlinops": _curvlinops,
        "hessian-eigenthings": lambda s: _eigenthings(s, "autograd"),
        "hessian-eigenthings, finite difference": lambda s: _eigenthings(s, "finite_difference"),
    }
    for name, make in makers.items():
        try:
            cases[name] = make(subject)
            cases[name]()
        # whatever a peer raises here is its answer, and must not cost the others theirs
        except Exception as error:
            cases.pop(name, None)
            refused[name] = f"{type(error).__name__}: {error}".splitlines()[0][:80]
    for _ in sys.stdin:
        found = round_costs(cases, lambda: plain_gradient(subject, chunk))
        print(json.dumps({**found, **refused}), file=answers, flush=True)


def _opacus(subject: Any) -> Callable[[], object]:
    """Per-sample gradients by hooks."""
    from copy import deepcopy

    import torch
    from opacus import GradSampleModule  # type: ignore[import-not-found]  # a peer's environment

    from empirical.bench.gradient_cost import mean_loss

    model = GradSampleModule(deepcopy(subject.network), strict=False)

    def run() -> None:
        model.zero_grad(set_to_none=True)
        torch.autograd.backward(mean_loss(model, (subject.inputs, subject.targets)))

    return run


def _curvlinops(subject: Any) -> Callable[[], object]:
    """A Hessian-vector product."""
    import torch
    from curvlinops import (  # type: ignore[import-not-found]  # a peer's environment
        HessianLinearOperator,
    )

    class Scores(torch.nn.Module):
        """Logits with the classes second, as torch's cross-entropy takes them."""

        def __init__(self) -> None:
            super().__init__()
            self.network = subject.network

        def forward(self, tokens: Any) -> Any:
            return self.network(tokens).transpose(1, 2)

    model = Scores()
    product = HessianLinearOperator(
        model,
        torch.nn.CrossEntropyLoss(),
        list(model.parameters()),
        [(subject.inputs, subject.targets)],
        check_deterministic=False,
    )
    return _with_second_derivatives(lambda v: product @ v, subject)


def _eigenthings(subject: Any, method: str) -> Callable[[], object]:
    """A Hessian-vector product by double backward, or by differences of gradients."""
    from hessian_eigenthings import (  # type: ignore[import-not-found]  # a peer's environment
        HessianOperator,
    )

    from empirical.bench.gradient_cost import mean_loss

    batches = [(subject.inputs, subject.targets)]
    product = HessianOperator(subject.network, batches, mean_loss, method=method)
    if method == "finite_difference":
        return lambda: product.matvec(_direction(subject))
    return _with_second_derivatives(product.matvec, subject)


def _with_second_derivatives(
    product: Callable[[Any], object], subject: Any
) -> Callable[[], object]:
    from torch.nn.attention import SDPBackend, sdpa_kernel

    def run() -> None:
        # the default attention has no second derivative
        with sdpa_kernel(SDPBackend.MATH):
            product(_direction(subject))

    return run


def _direction(subject: Any) -> Any:
    import torch

    return torch.ones(sum(p.numel() for p in subject.network.parameters()))


if __name__ == "__main__":
    serve()
