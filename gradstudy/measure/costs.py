"""Time and memory of the measurements beside their baselines."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pandas as pd
import torch
from torch import Tensor, nn

from gradstudy.chains.time import time_chain
from gradstudy.measure import baselines
from gradstudy.measure.gradient_norms import GradientNorms, gradient_norms
from gradstudy.measure.product_spectrum import product_spectrum
from gradstudy.measure.timing import Action, peak_tensor_bytes, time_ratios

Case = tuple[nn.RNN, Tensor]


def cost(
    quantity: str, hidden: int, length: int, batch: int, *, rounds: int, stepped: bool = True, seed: int = 0
) -> pd.DataFrame:
    """Running time of a measurement, whole call, over that of its baselines; float32, one layer, tanh.

    Args:
        quantity: "gradient-norms", "jacobians" or "product-spectrum".
        hidden, length, batch: of the nn.RNN and its inputs.
        rounds: how often each is timed.
        stepped: also the baselines that step through time.
        seed: of weights and inputs.

    Returns:
        See `timing.time_ratios`.
    """
    case = _case(hidden, length, batch, seed)
    ours, others = _ACTIONS[quantity](case)
    if not stepped:
        others = {name: action for name, action in others.items() if not name.startswith("stepped")}
    return time_ratios(ours, others, rounds=rounds)


def memory(hidden: int, length: int, batch: int, *, seed: int = 0) -> pd.DataFrame:
    """Extra memory of `gradient_norms`, whole call, over the bytes of the stored states.

    Returns:
        One row: `state_bytes` ((T + 1) x batch x n numbers), `extra_states`: the most that tensors held at once, in
        units of that, the module's own output and the stored states themselves not counted.
    """
    case = _case(hidden, length, batch, seed)
    state_bytes = (length + 1) * batch * hidden * 4
    output_bytes = length * batch * hidden * 4
    peak = peak_tensor_bytes(lambda: _whole_call(case))
    return pd.DataFrame([{"state_bytes": state_bytes, "extra_states": (peak - output_bytes) / state_bytes - 1}])


def _case(hidden: int, length: int, batch: int, seed: int) -> Case:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return nn.RNN(hidden, hidden), torch.randn(length, batch, hidden)


def _whole_call(case: Case) -> GradientNorms:
    chain = time_chain(*case)
    return gradient_norms(chain, chain.output[-1].sum())


def _gradient_norms(case: Case) -> tuple[Action, Mapping[str, Action]]:
    return lambda: _whole_call(case), {
        "fused forward and backward": lambda: baselines.fused_forward_backward(*case),
        "forward and T bare products": lambda: baselines.forward_and_bare_products(*case),
        "stepped cell with retain_grad": lambda: baselines.stepped_cell(*case),
        "stepped fused module": lambda: baselines.stepped_module(*case),
    }


def _jacobians(case: Case) -> tuple[Action, Mapping[str, Action]]:
    def ours() -> Tensor:
        chain = time_chain(*case)
        return chain.links.jacobians(0, chain.length)

    return ours, {"vmap(jacrev(cell)) in chunks": lambda: baselines.chunked_jacrev(*case)}


def _product_spectrum(case: Case) -> tuple[Action, Mapping[str, Action]]:
    rnn, inputs = case
    double = nn.RNN(rnn.input_size, rnn.hidden_size, device="meta", dtype=torch.float64).to_empty(device="cpu")
    double.load_state_dict(rnn.state_dict())
    wide = inputs.double()
    return lambda: product_spectrum(time_chain(double, wide)), {
        "plain product and SVD (wrong digits)": lambda: baselines.plain_product_svd(double, wide)
    }


_ACTIONS: Mapping[str, Callable[[Case], tuple[Action, Mapping[str, Action]]]] = {
    "gradient-norms": _gradient_norms,
    "jacobians": _jacobians,
    "product-spectrum": _product_spectrum,
}
