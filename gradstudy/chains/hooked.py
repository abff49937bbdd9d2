"""chains: every recurrent layer of a user's model, from one hooked forward pass."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import get_gradient_edge

from gradstudy.chains.chain import Chain
from gradstudy.chains.checks import refuse_context, unsupported
from gradstudy.chains.recurrent import recurrent_chain, runs_of
from gradstudy.chains.recurrent_call import Place, RecurrentCall
from gradstudy.chains.recurrent_checks import check_call, check_module, given
from gradstudy.errors import GradstudyError, UnsupportedModuleError


@dataclass(frozen=True, eq=False, repr=False)
class Chains(Mapping[str, Chain]):
    """The chains of a model's recurrent layers by name, and what the model returned.

    Args:
        result: the model's own output, in the graph.
        refused: recurrent layers that cannot be measured, with the error that says why; asking for one raises it.
        by_name: module path to chain; the lower layers of a multi-layer module are `path[0]`, `path[1]`, ...; the
            other direction of a bidirectional one is `path_reverse`; the second call of one module is `path#2`.
    """

    result: Any
    by_name: Mapping[str, Chain]
    refused: Mapping[str, GradstudyError]

    def __repr__(self) -> str:
        refused = f"; refused: {', '.join(self.refused)}" if self.refused else ""
        return f"Chains({', '.join(self.by_name)}{refused})"

    def __getitem__(self, name: str) -> Chain:
        if name in self.refused:
            raise self.refused[name]
        try:
            return self.by_name[name]
        except KeyError:
            raise KeyError(f"no recurrent layer {name!r}; this model has: {', '.join(self.by_name)}") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self.by_name)

    def __len__(self) -> int:
        return len(self.by_name)


def chains(model: nn.Module, *inputs: Any) -> Chains:
    """Every recurrent layer of a model as a chain, from one forward pass of the model as it is.

    Args:
        model: any module that holds `nn.RNN`, `nn.LSTM` or `nn.GRU` layers.
        inputs: what the model takes.

    Returns:
        A mapping of module paths to chains; `.result` is the model's own output, in the graph, from which the loss is
        computed. A loss may use the final state h_n (and c_n) as well as the outputs.

    Raises:
        UnsupportedModuleError: the model holds no recurrent layer that can be measured, or calls none. Beside others
            that can be, one that cannot is refused when it is asked for.
        Others as for `time_chain`.

    Cost: one forward pass with hooks, which are gone afterwards (after an exception too); states and gates of every
    layer are stored. In a multi-layer module the layers below the last run once more.

    Example:
        >>> import torch, gradstudy as gs
        >>> class Model(torch.nn.Module):
        ...     def __init__(self):
        ...         super().__init__()
        ...         self.rnn = torch.nn.RNN(3, 4)
        ...     def forward(self, x):
        ...         return self.rnn(x)[0][-1].sum()
        >>> found = gs.chains(Model(), torch.randn(10, 2, 3))
        >>> norms = gs.gradient_norms(found["rnn"], found.result)
        >>> tuple(norms.log_norm.shape)
        (11, 2)
    """
    if not isinstance(model, nn.Module):
        raise unsupported(f"a {type(model).__name__}", "an nn.Module", "use gs.time_chain for a bare cell")
    refuse_context()
    fit, refused = _sort(model)
    found: dict[str, Chain] = {}
    with ExitStack() as stack, torch.enable_grad():
        for name, module in fit.items():
            # First in line, so that what is kept is what the module returned, before the user's own hooks change it.
            handle = module.register_forward_hook(_keep(found, name), with_kwargs=True, prepend=True)
            stack.callback(handle.remove)
        result = model(*inputs)
    if not found:
        raise unsupported(
            f"a forward pass that called none of the recurrent layers {', '.join(fit)}",
            "a call of the module itself",
            "call the layers through the model's forward, or measure them with gs.time_chain",
        )
    return Chains(result, found, refused)


def _sort(model: nn.Module) -> tuple[dict[str, nn.RNNBase], dict[str, GradstudyError]]:
    """Recurrent layers that can be measured and those that cannot; raises before anything runs if all are refused."""
    fit: dict[str, nn.RNNBase] = {}
    refused: dict[str, GradstudyError] = {}
    for name, module in model.named_modules():
        if isinstance(module, nn.RNNBase):
            try:
                check_module(module)
                fit[name] = module
            except UnsupportedModuleError as error:
                refused[name] = error
    if not fit:
        if refused:
            raise next(iter(refused.values()))
        raise unsupported(
            "a model without recurrent layers", "at least one nn.RNN, nn.LSTM or nn.GRU", "use gs.time_chain for a cell"
        )
    return fit, refused


def _keep(found: dict[str, Chain], name: str) -> Any:
    """A forward hook that keeps a call's chains; gradient edges survive later in-place changes of the output."""

    def hook(module: nn.RNNBase, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> Any:
        inputs, state = check_call(module, *given(args, kwargs))
        output, final = result
        if not output.requires_grad:
            output, final = _as_leaf(output), _each(_as_leaf, final)
        targets = (output, *final) if isinstance(final, tuple) else (output, final)
        call = RecurrentCall(module, inputs, state, output, tuple(get_gradient_edge(target) for target in targets))
        runs = runs_of(call)
        path = _unused(name, found)
        for place in runs:
            found[chain_name(path, place, module.num_layers)] = recurrent_chain(call, place, runs)
        return output, final

    return hook


def _as_leaf(value: Tensor) -> Tensor:
    return value.detach().requires_grad_()


def _each(change: Callable[[Tensor], Tensor], final: Tensor | tuple[Tensor, ...]) -> Tensor | tuple[Tensor, ...]:
    """The change made to h_n, or to h_n and c_n."""
    return tuple(map(change, final)) if isinstance(final, tuple) else change(final)


def chain_name(path: str, place: Place, layers: int) -> str:
    """`path` for the last layer, `path[i]` for those below; `_reverse` behind it, as torch names its weights."""
    layer = "" if place.layer == layers - 1 else f"[{place.layer}]"
    return f"{path}{layer}_reverse" if place.reverse else f"{path}{layer}"


def _unused(name: str, found: Mapping[str, Chain]) -> str:
    """The name itself for the first call of a module, `name#2` for the second, ..."""
    count = 1
    while (path := name if count == 1 else f"{name}#{count}") in found:
        count += 1
    return path
