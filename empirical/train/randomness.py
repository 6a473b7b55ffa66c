"""Private random generators: one seed, one independent stream per purpose."""

import hashlib

import numpy as np
import torch


def private_generator(seed: int, purpose: str) -> torch.Generator:
    """A generator on the CPU, fixed by (seed, purpose) and by nothing else.

    Generators stay on the CPU on every machine, so that a GPU sees the same initial weights
    and the same batches; what they draw is moved explicitly. The purpose is hashed into the
    seed because two streams seeded alike would draw correlated weights and positions.
    """
    digest = hashlib.sha256(f"{seed}/{purpose}".encode()).digest()
    return torch.Generator(device="cpu").manual_seed(int.from_bytes(digest[:8], "big", signed=True))


def numpy_generator(seed: int, purpose: str) -> np.random.Generator:
    """A numpy generator, fixed by (seed, purpose) like `private_generator`."""
    return np.random.default_rng(private_generator(seed, purpose).initial_seed() % 2**63)
