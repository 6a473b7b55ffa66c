"""The batches of runs that train side by side.

Letters in names: R runs, B sequences, T tokens.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from empirical.train.batches import sample_sequences
from empirical.train.randomness import private_generator
from empirical.train.run_configuration import RunConfig
from empirical.train.text import Corpus


class BatchDraw:
    """The batches of each run: one stream per seed, shared by the runs that have that seed."""

    def __init__(self, runs: Sequence[RunConfig], corpus: Corpus, device: torch.device) -> None:
        self._runs, self._corpus, self._device = runs, corpus, device
        self._generators = {
            run.seed: private_generator(run.seed, "training batches") for run in runs
        }

    def __call__(self) -> tuple[Tensor, Tensor]:
        """Inputs and targets of the next step, [R, B, T] each."""
        first = self._runs[0]
        drawn = {
            seed: sample_sequences(
                self._corpus.train,
                first.batch_size,
                first.network.context,
                generator,
                device=self._device,
            )
            for seed, generator in self._generators.items()
        }
        if len(self._runs) == 1:
            inputs, targets = drawn[first.seed]
            return inputs[None], targets[None]
        pairs = [drawn[run.seed] for run in self._runs]
        return torch.stack([x for x, _ in pairs]), torch.stack([y for _, y in pairs])

    def state(self) -> dict[str, Tensor]:
        """Of every stream, by its seed."""
        return {str(seed): generator.get_state() for seed, generator in self._generators.items()}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Go on from a `state`."""
        for seed, generator in self._generators.items():
            generator.set_state(state[str(seed)])
