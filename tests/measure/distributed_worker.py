"""What each process of test_distributed runs under torchrun: its share, one result on file."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from safetensors.torch import save_file
from torch import Tensor

from empirical.errors import UsageError
from empirical.measure.distributed import measure_distributed
from empirical.measure.measurement import Measurement
from tests.measure.plain import TiedModel, next_token_loss, randomised, token_batch

OPTIONS: dict[str, dict[str, Any]] = {
    "single samples": {"blocks": 9},
    "ragged micro-batches": {"blocks": 7, "micro_batch": 4},
}


def model_and_share(rank: int) -> tuple[torch.nn.Module, list[tuple[Tensor, ...]]]:
    """The same model in all processes; 26 samples in the first, 17 in the second, some padded."""
    batches: list[tuple[Tensor, ...]] = []
    for number, size in enumerate((13, 13) if rank == 0 else (17,)):
        x, y = token_batch(size, seed=10 * rank + number)
        y = y.clone()
        y[::3, -2:] = -100  # a mean over unequal numbers of tokens
        batches.append((x, y))
    return randomised(TiedModel()), batches


def numbers_of(found: Measurement) -> dict[str, Tensor]:
    """Everything that is compared, as tensors."""
    whole = found.whole
    scales = [whole.simple, whole.sign, whole.adam, found.curvature["all"].sgd]
    values = [found.tails.excess_kurtosis, whole.rms_sigma, found.tokens_per_sample]
    for estimate in (whole.gradient_norm_squared, whole.trace_covariance):
        values += [estimate.value, estimate.standard_error]
    for scale in scales:
        values += [scale.interval[0], 0.0 if scale.estimate is None else scale.estimate.value]
    return {
        "gradient": found.gradient,
        "variance": found.variance,
        "deviations": found.deviations,
        "numbers": torch.tensor(values, dtype=torch.float64),
    }


def refusal_of(model: torch.nn.Module, share: list[tuple[Tensor, ...]]) -> str:
    """What measuring together says of wrong use."""
    try:
        measure_distributed(model, share, loss=next_token_loss)
    except UsageError as error:
        return str(error)
    return ""


def main(folder: Path) -> None:
    """Measure together, then be refused together."""
    dist.init_process_group("gloo")
    rank = dist.get_rank()
    model, share = model_and_share(rank)
    for name, options in OPTIONS.items():
        found = measure_distributed(model, share, loss=next_token_loss, **options)
        save_file(numbers_of(found), folder / f"{name} {rank}.safetensors")
    refusals = [
        refusal_of(model, share if rank == 0 else []),
        refusal_of(randomised(TiedModel(), seed=rank), share),
    ]
    (folder / f"refusals {rank}.txt").write_text("\n".join(refusals))
    dist.destroy_process_group()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
