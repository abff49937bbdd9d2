"""How alike two representations of the same inputs are, and when a layer's representation stops changing."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

SETTLED = 0.9
"""A representation has settled once its likeness to the final one stays above this."""


def linear_cka(one: Tensor, other: Tensor) -> float:
    """Linear centred kernel alignment of two representations of the same inputs, between 0 and 1.

    |Y'X|^2 / (|X'X| |Y'Y|), Frobenius norms, X and Y centred over the inputs; computed from the Gram matrices over
    inputs, which are small. Orthogonal transformations and a common factor leave it as it is. NaN if a representation
    is the same for all inputs.

    Args:
        one: `(inputs, ...)`; what follows is flattened.
        other: likewise, of any other size.

    Source: Kornblith, Norouzi, Lee and Hinton, Similarity of neural network representations revisited, 2019, Eq. 3.
    """
    a, b = _gram(one), _gram(other)
    return float((a * b).sum() / (a.norm() * b.norm()))


def settling(likeness: Sequence[float], steps: Sequence[int]) -> int:
    """The first of the steps from which on the likeness to the last snapshot stays above `SETTLED`.

    Args:
        likeness: CKA of each snapshot with the last.
        steps: of the snapshots.
    """
    below = [i for i, value in enumerate(likeness) if not value > SETTLED]
    first = below[-1] + 1 if below else 0
    return steps[min(first, len(steps) - 1)]


def _gram(features: Tensor) -> Tensor:
    flat = features.detach().flatten(1).double()
    flat = flat - flat.mean(0)
    gram = flat @ flat.T
    return gram / gram.norm()
