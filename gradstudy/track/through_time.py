"""|dL/dh_t| of recurrent layers during training, exactly, from the fused module and the user's own backward pass."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from gradstudy.chains.gru import GRULinks
from gradstudy.chains.hooked import chain_name
from gradstudy.chains.lstm import LSTMLinks
from gradstudy.chains.recurrent import Runs, direct_partials, recurrent_chain, runs_of
from gradstudy.chains.recurrent_call import RecurrentCall
from gradstudy.chains.recurrent_checks import check_call, check_module, given
from gradstudy.errors import GradstudyError
from gradstudy.measure.gate_statistics import gate_statistics
from gradstudy.measure.gradient_norms import norms_along
from gradstudy.track.arrivals import Arrivals
from gradstudy.track.hook import Hooks
from gradstudy.track.names import ROOT, Calls
from gradstudy.track.norms import Norm, log, pooled
from gradstudy.track.row import Row, norm_row, plain_row, size_row


@dataclass(frozen=True, eq=False)
class Pass:
    """One call of a recurrent layer and the gradients that came back to what it returned."""

    path: str
    call: RecurrentCall
    runs: Runs
    gradients: dict[int, Tensor]


class ThroughTime:
    """Per-timestep gradient norms of every `nn.RNN`, `nn.LSTM` and `nn.GRU`.

    A forward hook computes the links of the layer's chain from what went in and what came out; hooks on the returned
    tensors keep the gradients that `backward()` brings; at the step's end the adjoint recursion runs along the chain in
    the log domain. Layers that cannot be measured exactly are left out, with the reason in `refused`.

    Args:
        model: whose recurrent layers are hooked.
        calls: numbers the calls of a module within one pass.
        arrivals: hold what comes to the hooks until the backward pass has ended.
    """

    def __init__(self, model: nn.Module, calls: Calls, arrivals: Arrivals) -> None:
        self.refused: dict[str, GradstudyError] = {}
        self._calls, self._arrivals, self._hooks = calls, arrivals, Hooks()
        self._arrived: list[Pass] = []
        self._due, self._spectrum = False, False
        self._layers = {n or ROOT: m for n, m in model.named_modules() if isinstance(m, nn.RNNBase)}
        for name, layer in self._layers.items():
            try:
                check_module(layer)
            except GradstudyError as error:
                self.refused[name] = error

    def start(self, due: bool, spectrum: bool = False) -> None:
        """A step begins; hooks are there only if norms or the spectrum of a link are due."""
        self._due, self._spectrum = due, spectrum
        self._hooks.remove()
        self._arrived = []
        for name, layer in self._layers.items() if due or spectrum else ():
            # First in line, so that what is kept is what the module returned, before the user's own hooks change it.
            self._hooks.add(layer.register_forward_hook, self._after(name), with_kwargs=True, prepend=True)

    def close(self) -> None:
        """Remove the hooks and let go of the model."""
        self.start(due=False)
        self._layers = {}

    def rows(self, log_scale: float) -> Iterator[Row]:
        """Norms at every timestep, over the batch and the layer's units; several passes count as one larger batch."""
        found: dict[tuple[str, str, int], list[Norm]] = {}
        with torch.no_grad():
            for arrived in self._arrived if self._due else ():
                for quantity, name, t, norm in _norms(arrived):
                    found.setdefault((quantity, name, t), []).append(norm)
            for (quantity, name, t), parts in found.items():
                yield norm_row(quantity, name, pooled(parts), t, log_scale=log_scale)
            for arrived in self._arrived if self._due else ():
                yield from _gates(arrived)
            for arrived in self._arrived if self._spectrum else ():
                yield from _last_link(arrived)

    def _after(self, path: str) -> Callable[..., None]:
        def hook(module: nn.RNNBase, args: tuple[Any, ...], kwargs: Mapping[str, Any], result: Any) -> None:
            if not torch.is_grad_enabled():
                return
            name = self._calls.name(path)
            try:
                inputs, state = check_call(module, *given(args, kwargs))
                output, final = result
                call = RecurrentCall(module, inputs, state, output.detach(), targets=())
                found = Pass(name, call, runs_of(call), {})
            except GradstudyError as error:
                self.refused[name] = error
                return
            self.refused.pop(name, None)
            for slot, tensor in enumerate((output, *final) if isinstance(final, tuple) else (output, final)):
                if tensor.requires_grad:
                    tensor.register_hook(partial(self._keep, found, slot))

        return hook

    def _keep(self, found: Pass, slot: int, gradient: Tensor | None) -> None:
        if gradient is None:  # torch calls the hooks of all outputs of a module, also where nothing comes back
            return
        kept = gradient.detach().clone()
        self._arrivals.add(lambda: self._take(found, slot, kept))

    def _take(self, found: Pass, slot: int, gradient: Tensor) -> None:
        before = found.gradients.get(slot)
        # A second backward pass through the same call adds to the first, as it does in the weights' gradients.
        found.gradients[slot] = gradient if before is None else before + gradient
        if found not in self._arrived:
            self._arrived.append(found)


def _norms(arrived: Pass) -> Iterator[tuple[str, str, int, Norm]]:
    """Quantity, chain, timestep and norm; NaN with a count where the gradients that came are not finite."""
    call, runs = arrived.call, arrived.runs
    ends = [arrived.gradients.get(slot) for slot in ((1, 2) if call.module.mode == "LSTM" else (1,))]
    for place in runs:
        chain = recurrent_chain(call, place, runs)
        name = chain_name(arrived.path, place, call.module.num_layers)
        wrong = sum(int((~torch.isfinite(gradient)).sum()) for gradient in arrived.gradients.values())
        if wrong:
            yield from (("hidden_gradient", name, t, Norm(math.nan, wrong)) for t in range(chain.length + 1))
            continue
        norms = norms_along(chain, direct_partials(call, place, runs, arrived.gradients.get(0), ends))
        hidden = norms.log_norm_total if norms.log_norm_hidden is None else _total(norms.log_norm_hidden)
        yield from (("hidden_gradient", name, t, Norm(value)) for t, value in enumerate(hidden.tolist()))
        if norms.log_norm_cell_total is not None:
            cell = _total(norms.log_norm_cell_total)
            yield from (("cell_gradient", name, t, Norm(value)) for t, value in enumerate(cell.tolist()))


def _total(log_norm: Tensor) -> Tensor:
    """Over the rows of the batch together."""
    return torch.logsumexp(2 * log_norm, dim=1) / 2


def _gates(arrived: Pass) -> Iterator[Row]:
    """Fraction of a gate's activations in the lowest or highest tenth of its range, over steps, rows and units."""
    for place in arrived.runs:
        chain = recurrent_chain(arrived.call, place, arrived.runs)
        if isinstance(chain.links, LSTMLinks | GRULinks):
            name = chain_name(arrived.path, place, arrived.call.module.num_layers)
            gates = gate_statistics(chain)
            for gate, value in zip(gates.names, (gates.low + gates.high).mean(0).tolist(), strict=True):
                yield plain_row("gate_saturation", f"{name}.{gate}", value)


def _last_link(arrived: Pass) -> Iterator[Row]:
    """Singular values of the one-step Jacobian d s_T / d s_{T-1} of the batch's first row, descending."""
    for place in arrived.runs:
        chain = recurrent_chain(arrived.call, place, arrived.runs)
        name = chain_name(arrived.path, place, arrived.call.module.num_layers)
        jacobian = chain.links.jacobians(chain.length - 1, chain.length)[0, 0]
        for i, value in enumerate(torch.linalg.svdvals(jacobian).tolist()):
            yield size_row("jacobian_singular_value", name, log(value), i)
