"""How many steps back a gradient stays above a bound."""

from __future__ import annotations

import math

from jaxtyping import Int
from torch import Tensor

from gradstudy.chains.checks import check_positive, unsupported
from gradstudy.measure.gradient_norms import GradientNorms


def steps_in_the_past(norms: GradientNorms, bound: float = 1e-20) -> Int[Tensor, " batch"]:
    """The largest m such that |dL/ds_t|^2 >= bound at all of t = T, T - 1, ..., T - m.

    Pascanu's code prints under this name the *fraction* of steps and rows at or above the bound, wherever they lie;
    here steps are counted, without a gap, for an LSTM on the hidden block.

    Args:
        norms: from `gradient_norms`, best of one error at the last step.
        bound: on the squared norm; 1e-20 in the code.

    Returns:
        `(batch,)`, from 0 to T; -1 where not even t = T reaches the bound.

    Raises:
        OptionError: the bound is not a positive number.
        UnsupportedModuleError: something else than gradient norms.

    Cost: one pass over the norms.

    Source: Pascanu, Mikolov and Bengio 2013, released code (RNN.py, `bound`).

    Example:
        >>> import torch, gradstudy as gs
        >>> chain = gs.time_chain(torch.nn.RNN(3, 4), torch.randn(200, 2, 3))
        >>> steps = gs.steps_in_the_past(gs.gradient_norms(chain, lambda out: out[-1].sum()))
        >>> tuple(steps.shape), bool((steps < 200).all())
        ((2,), True)
    """
    if not isinstance(norms, GradientNorms):
        raise unsupported(
            f"a {type(norms).__name__} where gradient norms are needed",
            "a GradientNorms",
            "call gs.gradient_norms(chain, loss) first",
        )
    check_positive("bound", bound, "leave it out for the 1e-20 of Pascanu's code")
    log_norm = norms.log_norm if norms.log_norm_hidden is None else norms.log_norm_hidden
    above = (2 * log_norm >= math.log(bound)).flip(0)
    return above.long().cumprod(0).sum(0) - 1
