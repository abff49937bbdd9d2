"""The vanishing-gradient regularizer of Pascanu, Mikolov and Bengio (2013), in the paper's two forms and the code's."""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor

from gradstudy.chains.adjoint import adjoint
from gradstudy.chains.chain import Chain, Loss
from gradstudy.chains.checks import check_positive
from gradstudy.chains.closed_form import ClosedFormLinks
from gradstudy.errors import OptionError, WeightsChangedError
from gradstudy.measure.temporal_components import recurrent_links

FORMS = ("eq9", "eq10", "code")


def pascanu_omega(chain: Chain, loss: Loss, form: str = "eq9", bound: float = 1e-20) -> Tensor:
    """Omega: how much each link changes the length of the error that goes back through it.

    With a_t = dL/ds_t (a total derivative, held constant), q_t = |a_t J_t| / |a_t| and averages over the batch:

    | form | value |
    |---|---|
    | eq9 | sum over t of (q_t - 1)^2: a ratio of norms |
    | eq10 | sum over t of (q_t^2 - 1)^2: of squared norms, as the paper's derivative has it |
    | code | as eq10, but where |a_t|^2 < bound a term counts 0, and the sum is divided by the sum over t of the |
    | | fraction of rows that count: an average over links, about T times smaller; 0 if none counts (the code: NaN) |

    Only the *immediate* derivative is taken: states (and a gated layer's gates) and a_t are constants, W_hh in J_t is
    not. Where a_t is exactly 0 no direction is defined, and the term counts 0.

    Args:
        chain: of a recurrent module, made from its present weights.
        loss: a scalar computed from `chain.output`, or a callable of it; it is not differentiated twice.
        form: which of the three.
        bound: on the squared norm, for "code"; 1e-20 in the released code.

    Returns:
        A scalar in the chain's dtype with gradient to the module's recurrent weight (`weight_hh_l*`, `weight_rec`)
        (behind a parametrization: to what the weight is made of) and to nothing else; none under `torch.no_grad`.

    Raises:
        LossError, UnsupportedModuleError: as for `temporal_components`.
        WeightsChangedError: the module's weights are no longer those the chain was made from.
        OptionError: another form, or a bound that is not positive.

    Cost: as for `gradient_norms`, and one matrix product over all links, kept for the backward pass.

    Source: Pascanu, Mikolov and Bengio 2013, Eq. 9 and 10, and the released code (RNN.py).

    Example:
        >>> import torch, gradstudy as gs
        >>> rnn = torch.nn.RNN(3, 4)
        >>> chain = gs.time_chain(rnn, torch.randn(20, 2, 3))
        >>> gs.pascanu_omega(chain, lambda out: out[-1].sum()).backward()
        >>> [name for name, weight in rnn.named_parameters() if weight.grad is not None]
        ['weight_hh_l0']
    """
    if form not in FORMS:
        raise OptionError(
            f"form={form!r}",
            needed=f"one of {', '.join(FORMS)}",
            why="the paper's two forms and the code's differ by a square and by about T",
            remedy="say which of the three is meant",
        )
    check_positive("bound", bound, "leave it out for the 1e-20 of the released code")
    links = recurrent_links(chain)
    with torch.no_grad():
        total = adjoint(links, chain.direct_partials(loss))
        log_norm = total.log_norm[1:]
        rows = torch.nn.functional.normalize(total.scaled[1:], dim=-1, eps=0.0).nan_to_num(nan=0.0)
    ratio = _ratio(replace(links.abreast(0, links.length), weight=_live(chain, links)), rows)
    change = ratio - 1 if form == "eq9" else ratio**2 - 1
    counts = 2 * log_norm >= math.log(bound) if form == "code" else torch.isfinite(log_norm)
    terms = torch.where(counts, change**2, torch.zeros_like(change)).mean(1).sum()
    if form != "code" or not counts.any():
        return terms
    return terms / counts.to(terms.dtype).mean(1).sum()


def _ratio(abreast: ClosedFormLinks, rows: Tensor) -> Tensor:
    """|a J| of unit rows a, `(T, batch)`."""
    return torch.linalg.vector_norm(abreast.vjp(1, rows.flatten(0, 1)), dim=-1).unflatten(0, rows.shape[:2])


def _live(chain: Chain, links: ClosedFormLinks) -> Tensor:
    """The module's own weight, if it still is the one that was measured."""
    assert chain.weight is not None
    weight = chain.weight()
    if not torch.equal(weight.detach(), links.weight):
        raise WeightsChangedError(
            "a chain whose module has been trained since",
            needed="a chain made from the module's present weights",
            why="the states would belong to one set of weights and the gradient to another",
            remedy="call time_chain again after each update",
        )
    return weight
