"""Independent streams of random numbers from one seed."""

from __future__ import annotations

import zlib

import numpy as np
import torch


def generator(seed: int, index: int, purpose: str) -> torch.Generator:
    """A generator of its own for each seed, network and purpose; no two streams share numbers.

    Args:
        seed: of the run.
        index: of the network; more networks leave the first ones as they are.
        purpose: what is drawn, such as "network" or "tangent".
    """
    sequence = np.random.SeedSequence([seed, index, zlib.crc32(purpose.encode())])
    (state,) = sequence.generate_state(1, np.uint64)
    return torch.Generator().manual_seed(int(state) >> 1)
