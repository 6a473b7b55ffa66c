"""How many parameters a network has, without building it."""

from __future__ import annotations

from empirical.train.configuration import NetworkConfig

VOCABULARY = 256


def parameter_count(network: NetworkConfig) -> int:
    """Parameters of the built-in transformer of width W, depth L, context T, 256 tokens.

    256 W (512 W untied) + T W for the embeddings, 12 W² + 9 W per block (attention 4 W², MLP
    8 W² + 5 W, two norms 4 W), 2 W for the last norm.
    """
    width = network.width
    embeddings = (VOCABULARY * (1 if network.tied else 2) + network.context) * width
    return embeddings + network.depth * (12 * width**2 + 9 * width) + 2 * width
