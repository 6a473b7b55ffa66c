"""Names of the columns of a table of runs, and what other programs call them.

Three exports are known by name:

* wandb: the runs table of the W&B page ("Export" > "CSV": Name, State, then the columns of config
  and summary that are shown), and the frame of the public API's guide, whose columns `config` and
  `summary` hold one dict per run, of values or, as in a run's config.yaml, of {desc, value}.
* mlflow: `mlflow.search_runs(...).to_csv(...)` and `mlflow experiments csv`: `params.x`,
  `metrics.x`, `status`; and the page's "Download CSV", with bare names.
* tensorboard: the HParams tab's "Download data as CSV": hyperparameters and metrics under their
  display names. It holds neither the trial's name nor its state (tensorflow/tensorboard#5498).

Each gives the names that people use in configurations; what differs is mapped by hand.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from empirical.errors import UsageError

REQUIRED = ("batch_size", "lr", "loss")
NUMBERS = (
    "n_params", "eps", "beta1", "beta2", "weight_decay", "tokens", "steps", "tokens_or_steps",
    "loss_raw", "loss_se", "n_seeds",
)  # fmt: skip
"""Optional columns that hold a number or nothing."""

WORDS = ("run_id", "model", "optimizer", "group", "seed", "source", "loss_kind", "note")
COLUMNS = (*REQUIRED, *NUMBERS, *WORDS, "batch_unit", "seq_len", "diverged", "state")

Preset = Literal["wandb", "mlflow", "tensorboard"]
PRESETS: tuple[Preset, ...] = get_args(Preset)

_COMMON: Mapping[str, tuple[str, ...]] = {
    # Not per_device_train_batch_size: accumulation and devices multiply it, unseen.
    "batch_size": (
        "batch_size", "global_batch_size", "total_batch_size", "train_batch_size", "bs",
    ),
    "lr": ("lr", "learning_rate", "max_lr", "peak_lr", "base_lr"),
    "loss": (
        "final_loss", "val_loss", "eval_loss", "valid_loss", "validation_loss", "val/loss",
        "eval/loss", "loss", "train_loss", "train/loss",
    ),
    "eps": ("eps", "adam_eps", "adam_epsilon", "epsilon"),
    "beta1": ("beta1", "adam_beta1"),
    "beta2": ("beta2", "adam_beta2"),
    "weight_decay": ("weight_decay", "wd"),
    "seed": ("seed", "random_seed"),
    "seq_len": ("seq_len", "sequence_length", "block_size", "context_length", "max_seq_len"),
    "steps": ("steps", "max_steps", "num_steps", "train_steps", "max_iters"),
    "tokens": ("tokens", "train_tokens", "num_tokens"),
    "n_params": ("n_params", "num_params", "n_parameters"),
    "model": ("model", "model_name"),
    "optimizer": ("optimizer", "optim"),
    "group": ("group",),
}  # fmt: skip


@dataclass(frozen=True)
class Layout:
    """How one program writes its exports.

    prefixes: before the names of hyperparameters and metrics, longest first. own: columns that
    the program itself adds. dicts: columns that hold a dict per run.
    """

    prefixes: tuple[str, ...]
    own: Mapping[str, tuple[str, ...]]
    dicts: tuple[str, ...] = ()


LAYOUTS: Mapping[Preset, Layout] = {
    "wandb": Layout(
        ("config.", "summary.", ""),
        {"run_id": ("ID", "id", "Name", "name"), "state": ("State", "state")},
        ("config", "summary"),
    ),
    "mlflow": Layout(
        ("params.", "metrics.", ""),
        {"run_id": ("run_id", "Run ID"), "state": ("status", "Status")},
    ),
    "tensorboard": Layout(("hparam/", "hparams/", ""), {}),
}


def spread_dicts(row: Mapping[str, str], preset: Preset | None) -> dict[str, str]:
    """The row with its dict columns spread out to `config.x`, `summary.x`."""
    spread = dict(row)
    for name in LAYOUTS[preset].dicts if preset else ():
        text = row.get(name, "").strip()
        if not text.startswith("{"):
            continue
        held = _read_dict(text)
        if held is None:
            continue
        del spread[name]
        spread.update({f"{name}.{key}": str(_bare(value)) for key, value in held.items()})
    return spread


def _bare(value: object) -> object:
    """A value without the description that W&B's config.yaml keeps beside it."""
    if isinstance(value, dict) and "value" in value and value.keys() <= {"value", "desc"}:
        return value["value"]
    return value


def _read_dict(text: str) -> dict[str, object] | None:
    """A dict as JSON or as Python prints it; None for anything else."""
    try:
        held = json.loads(text)
    except ValueError:
        try:
            held = ast.literal_eval(_NotFinite().visit(ast.parse(text, mode="eval")))
        except (ValueError, SyntaxError):
            return None
    return held if isinstance(held, dict) else None


class _NotFinite(ast.NodeTransformer):
    """nan and inf, which Python prints bare and a literal may not hold, as numbers."""

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return ast.Constant(float(node.id)) if node.id in ("nan", "inf") else node


def resolve_columns(
    present: Iterable[str], mapping: Mapping[str, str] | None, preset: Preset | None
) -> dict[str, str]:
    """Which column of the file holds which of `COLUMNS`: {ours: theirs}.

    A mapping by hand wins over the preset's names, and those over columns named as here.

    Raises:
        UsageError: an unknown name on either side, or no column for one that is required.
    """
    names = tuple(present)
    found = {name: name for name in COLUMNS if name in names}
    if preset is not None:
        found.update(_known_names(names, LAYOUTS[preset]))
    for ours, theirs in (mapping or {}).items():
        if ours not in COLUMNS:
            raise UsageError(
                f"'{ours}' is no column of a table of runs: map one of {', '.join(COLUMNS)}"
            )
        if theirs not in names:
            raise UsageError(f"the file has no column '{theirs}': it has {_some(names)}")
        found[ours] = theirs
    missing = [name for name in REQUIRED if name not in found]
    if missing:
        raise UsageError(
            f"no column for {' and '.join(missing)}: map it with --column {missing[0]}=THEIR_NAME "
            f"(in Python mapping={{'{missing[0]}': 'THEIR_NAME'}}); "
            f"the file has {_some(names)}"
        )
    return found


def _known_names(names: Sequence[str], layout: Layout) -> dict[str, str]:
    found = {}
    for ours, words in {**_COMMON, **layout.own}.items():
        prefixes = ("",) if ours in layout.own else layout.prefixes
        candidates = (prefix + word for word in words for prefix in prefixes)
        first = next((name for name in candidates if name in names), None)
        if first is not None:
            found[ours] = first
    return found


def _some(names: Sequence[str], most: int = 24) -> str:
    shown = ", ".join(names[:most])
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown or "none"
