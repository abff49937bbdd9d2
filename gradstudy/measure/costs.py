"""Time and memory of the measurements beside their baselines."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pandas as pd
import torch
from torch import Tensor, nn

from gradstudy.chains.depth import depth_chain
from gradstudy.chains.time import time_chain
from gradstudy.measure import baselines
from gradstudy.measure.gradient_norms import GradientNorms, gradient_norms
from gradstudy.measure.lyapunov_exponents import lyapunov_exponents
from gradstudy.measure.product_spectrum import ProductSpectrum, product_spectrum
from gradstudy.measure.timing import Action, peak_tensor_bytes, time_ratios
from gradstudy.models.feedforward import draw_feedforward
from gradstudy.models.he2015 import cifar_network

Case = tuple[nn.RNNBase, Tensor]

_KINDS = {"RNN_TANH": nn.RNN, "LSTM": nn.LSTM, "GRU": nn.GRU}


@dataclass(frozen=True)
class Size:
    """What is measured: a module of one layer, as many inputs as units, on random inputs.

    Args:
        module: "rnn" (tanh), "lstm" or "gru".
        hidden, length, batch: H, T and B.
    """

    module: str
    hidden: int
    length: int
    batch: int


def cost(quantity: str, size: Size, *, rounds: int, stepped: bool = True, seed: int = 0) -> pd.DataFrame:
    """Running time of a measurement, whole call, over that of its baselines.

    Gradient norms and Jacobians are taken in float32, products and Lyapunov exponents in float64.

    Args:
        quantity: "gradient-norms" (of the sum of the last output), "gradient-norms-every-step" (of all outputs, so
            that no gradient falls below float32's normal range, where arithmetic is slow), "jacobians",
            "product-spectrum" (of an nn.RNN), "lyapunov-exponents" or "lyapunov-exponents-every-link" (a QR at every
            link; both of an LSTM, one row).
        size: of the case.
        rounds: how often each is timed.
        stepped: also the baselines that step through time.
        seed: of weights and inputs.

    Returns:
        See `timing.time_ratios`.
    """
    ours, others = _ACTIONS[quantity](_case(size, seed))
    if not stepped:
        others = {name: action for name, action in others.items() if not name.startswith("stepped")}
    return time_ratios(ours, others, rounds=rounds)


def cost_of_largest_values(*, k: int = 10, rounds: int, seed: int = 0) -> pd.DataFrame:
    """Running time of the k largest singular values of a Jacobian from an image to 16,384 numbers, over the dense way.

    The Jacobian is that of the first convolution, normalisation and block of a ResNet-20 for CIFAR-10 (eval mode,
    float32), at one random image of 3 x 32 x 32.

    Returns:
        See `timing.time_ratios`; and `peak_bytes`: the most that tensors of ours held at once, the whole call.
    """
    network = draw_feedforward(cifar_network(20), seed=seed).float().eval()
    part = nn.Sequential(network.stem, network.blocks[0])
    image = torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(seed))

    def ours() -> ProductSpectrum:
        return product_spectrum(depth_chain(part, image), k=k)

    others = {"jacrev in chunks, dense SVD": lambda: baselines.dense_jacrev_svd(part, image, k)}
    return time_ratios(ours, others, rounds=rounds).assign(peak_bytes=peak_tensor_bytes(ours))


def memory(size: Size, *, seed: int = 0) -> pd.DataFrame:
    """Extra memory of `gradient_norms`, whole call, over the bytes of the stored states.

    Returns:
        One row: `state_bytes` ((T + 1) x batch x n numbers), `extra_states`: the most that tensors held at once, in
        units of that, the module's own output and the stored states themselves not counted.
    """
    case = _case(size, seed)
    state = size.hidden * (2 if size.module == "lstm" else 1)
    state_bytes = (size.length + 1) * size.batch * state * 4
    output_bytes = size.length * size.batch * size.hidden * 4
    peak = peak_tensor_bytes(lambda: _whole_call(case))
    return pd.DataFrame([{"state_bytes": state_bytes, "extra_states": (peak - output_bytes) / state_bytes - 1}])


def _case(size: Size, seed: int) -> Case:
    kind = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}[size.module]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return kind(size.hidden, size.hidden), torch.randn(size.length, size.batch, size.hidden)


def _whole_call(case: Case, every_step: bool = False) -> GradientNorms:
    chain = time_chain(*case)
    return gradient_norms(chain, (chain.output if every_step else chain.output[-1]).sum())


def _gradient_norms(case: Case, every_step: bool = False) -> tuple[Action, Mapping[str, Action]]:
    others: dict[str, Action] = {
        "fused forward and backward": lambda: baselines.fused_forward_backward(*case, every_step),
        "stepped cell with retain_grad": lambda: baselines.stepped_cell(*case, every_step),
        "stepped fused module": lambda: baselines.stepped_module(*case, every_step),
    }
    if isinstance(case[0], nn.RNN):
        others["forward and T bare products"] = lambda: baselines.forward_and_bare_products(*case)
    return lambda: _whole_call(case, every_step), others


def _jacobians(case: Case) -> tuple[Action, Mapping[str, Action]]:
    def ours() -> Tensor:
        chain = time_chain(*case)
        return chain.links.jacobians(0, chain.length)

    others: dict[str, Action] = {"vmap(jacrev(cell)) in chunks": lambda: baselines.chunked_jacrev(*case)}
    if isinstance(case[0], nn.RNN):
        others["forward and bare Jacobians"] = lambda: baselines.forward_and_bare_jacobians(*case)
    return ours, others


def _product_spectrum(case: Case) -> tuple[Action, Mapping[str, Action]]:
    wide = _double(case)
    return lambda: product_spectrum(time_chain(*wide)), {
        "plain product and SVD (wrong digits)": lambda: baselines.plain_product_svd(*wide)
    }


def _lyapunov_exponents(case: Case, every: int | None = None) -> tuple[Action, Mapping[str, Action]]:
    wide = _double(case)
    others: dict[str, Action] = {
        "vmap(jacrev(cell)) in chunks, QR every step": lambda: baselines.chunked_jacrev_and_qr(*wide)
    }
    if every is None:
        others["stepped jacrev(cell), QR every step"] = lambda: baselines.stepped_jacrev_and_qr(*wide)
    return lambda: lyapunov_exponents(time_chain(*wide), every=every), others


def _double(case: Case) -> Case:
    """The same module and inputs in float64."""
    module, inputs = case
    double = _KINDS[module.mode](module.input_size, module.hidden_size, device="meta", dtype=torch.float64)
    double.to_empty(device="cpu").load_state_dict(module.state_dict())
    return double, inputs.double()


_ACTIONS: Mapping[str, Callable[[Case], tuple[Action, Mapping[str, Action]]]] = {
    "gradient-norms": _gradient_norms,
    "gradient-norms-every-step": lambda case: _gradient_norms(case, every_step=True),
    "jacobians": _jacobians,
    "product-spectrum": _product_spectrum,
    "lyapunov-exponents": _lyapunov_exponents,
    "lyapunov-exponents-every-link": lambda case: _lyapunov_exponents(case, every=1),
}
