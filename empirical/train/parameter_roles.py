"""Which parameters are hidden matrices, by name and shape: Muon treats them apart."""

from __future__ import annotations

import re
from collections.abc import Sequence

# token_embedding, unembedding, embed_tokens, wte, wpe, lm_head, patch_embed, head, classifier
_AT_THE_EDGE = re.compile(
    r"(^|\.)(\w*embed\w*|wte|wpe|lm_head|heads?|classifier|pos_emb)(\.|$)", re.I
)


def is_hidden_matrix(name: str, shape: Sequence[int]) -> bool:
    """Whether a parameter is a matrix between hidden layers.

    True for two axes, both longer than one entry, and a name without a part like embed, wte, wpe,
    lm_head, head or classifier: embeddings and the output layer map from or to tokens and classes
    and are left to AdamW (kellerjordan.github.io/posts/muon).
    """
    return len(shape) == 2 and min(shape) > 1 and _AT_THE_EDGE.search(name) is None
