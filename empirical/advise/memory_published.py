"""Optimizer memory as the SGD-SaI paper prints it, to be shown beside what shapes give."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

SOURCE = "arXiv 2412.11768"

STATE_GIB: Mapping[tuple[str, str], float] = MappingProxyType(
    {
        ("gpt2-1.5b", "sgdm"): 5.93,
        ("gpt2-1.5b", "sgd-sai"): 5.93,
        ("gpt2-1.5b", "adam"): 11.86,
        ("llama2-7b", "sgdm"): 25.15,
        ("llama2-7b", "sgd-sai"): 25.15,
        ("llama2-7b", "adam"): 49.48,
        ("vit-s", "sgdm"): 0.08,
        ("vit-s", "sgd-sai"): 0.08,
        ("vit-s", "adam"): 0.17,
        ("vit-h", "sgdm"): 2.42,
        ("vit-h", "sgd-sai"): 2.42,
        ("vit-h", "adam"): 4.86,
    }
)
"""Float32 optimizer state by model and optimizer, in GiB as the size of the numbers tells."""

REMARK = (
    f"paper: {SOURCE}, whose table is not self-consistent: for Llama 2 7B Adam's 49.48 is not "
    "twice the 25.15 of one buffer, and the saving of 25.15 in its abstract is 24.33 in the table; "
    "the other columns are counted from shapes"
)
