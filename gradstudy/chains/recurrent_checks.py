"""Checks of a call of a recurrent module of torch: whether it has an exact chain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from gradstudy.chains.checks import (
    check_length,
    check_module_dtype,
    check_shape,
    check_tensor,
    refuse_context,
    refuse_dropout,
    refuse_moving_weights,
    unsupported,
)
from gradstudy.errors import PackedInputError

State = Tensor | tuple[Tensor, ...] | None


def check_module(module: nn.RNNBase) -> None:
    """Raise a named error unless the module is one that can be measured, whatever its inputs."""
    kind, own = type(module), vars(module)
    inherited = (
        kind.forward in (nn.RNN.forward, nn.LSTM.forward, nn.GRU.forward) and kind.__call__ is nn.Module.__call__
    )
    if not inherited or "forward" in own:
        raise unsupported(
            f"{type(module).__name__}, whose forward is not that of nn.RNN, nn.LSTM or nn.GRU",
            "one of these three as they are",
            "pass its recurrence as a callable cell (input, state) -> state",
        )
    if module.proj_size:
        raise unsupported(
            f"an nn.LSTM with proj_size={module.proj_size}",
            "proj_size=0",
            "measure the network without the projection, or pass its recurrence as a callable cell",
        )
    refuse_dropout(module)
    check_module_dtype(module)
    refuse_moving_weights(module)


def given(args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[Any, Any]:
    """The inputs and the state among the arguments of a call of a recurrent module."""
    return args[0] if args else kwargs["input"], args[1] if len(args) > 1 else kwargs.get("hx")


def check_call(module: nn.RNNBase, inputs: object, state: object) -> tuple[Tensor, tuple[Tensor, ...]]:
    """The inputs and the state's parts, if the module can be measured on them; else a named error."""
    if isinstance(inputs, nn.utils.rnn.PackedSequence):
        raise PackedInputError(
            "a PackedSequence",
            needed="a padded tensor, one length for the whole batch",
            why="rows of different length end at different links, so one chain cannot hold them",
            remedy="group sequences of one length, or measure each with nn.utils.rnn.pad_packed_sequence",
        )
    refuse_context()
    check_module(module)
    dtype = module.weight_hh_l0.dtype
    assert isinstance(dtype, torch.dtype)
    tensor = check_tensor("inputs", inputs, dtype)
    parts = tuple(check_tensor("state", part, dtype) for part in _parts(module, state))
    _check_shapes(module, tensor, parts)
    return tensor.detach(), tuple(part.detach().clone() for part in parts)


def _parts(module: nn.RNNBase, state: object) -> tuple[object, ...]:
    """h_0, or h_0 and c_0 for an LSTM; nothing for zeros."""
    if state is None:
        return ()
    if module.mode != "LSTM":
        return (state,)
    if not isinstance(state, tuple | list) or len(state) != 2:
        raise unsupported(
            f"the state of an nn.LSTM as {type(state).__name__}", "a pair (h_0, c_0)", "pass both, as to the module"
        )
    return tuple(state)


def _check_shapes(module: nn.RNNBase, inputs: Tensor, state: tuple[Tensor, ...]) -> None:
    size, hidden = module.input_size, module.hidden_size
    if inputs.dim() == 2:
        check_shape("inputs", inputs, (None, size), "(time, input_size), unbatched")
        steps, batch_shape = inputs.shape[0], list[int]()
    else:
        layout = "(batch, time, input_size)" if module.batch_first else "(time, batch, input_size)"
        check_shape("inputs", inputs, (None, None, size), layout)
        steps = inputs.shape[1 if module.batch_first else 0]
        batch_shape = [inputs.shape[0 if module.batch_first else 1]]
    check_length(steps, *batch_shape)
    rows = module.num_layers * (2 if module.bidirectional else 1)
    for part in state:
        check_shape("state", part, (rows, *batch_shape, hidden), "(layers * directions, batch, hidden_size)")
