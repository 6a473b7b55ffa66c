"""Three models nobody tuned for: one-step learning rates predicted without a fit, and measured.

    pip install 'scaling-theory[dev]'      # scikit-learn and transformers; nothing is downloaded
    python -m examples.three_models        # from the root of the repository
    python -m examples.three_models --tiny --json

Trains a two-layer MLP on scikit-learn's digits, a Hugging Face GPT-2 and the built-in GPT of 10M
parameters with torch's default AdamW. Then, for each: SoftSignSGD's eta* at every batch size and
epsilon, predicted from what `measure` finds, against E[u]^T g / E[u^T H u] over real batches; and
the best learning rate of AdamW's real next step, predicted from its m and v, against a line search
of the loss. Exit code 0: all within the tolerance that was set before the first run; 1: not.
"""

from __future__ import annotations

import os
import sys

if __name__ == "__main__":
    # Before torch is loaded: half the time on vectors of 40 MB goes into faulting their pages in.
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
    from examples.three_models.command import main

    sys.exit(main())
