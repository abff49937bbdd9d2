"""Checks of what a tracker is given, before any hook is set."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from gradstudy.chains.checks import unsupported
from gradstudy.errors import OptimizerError
from gradstudy.track.names import ROOT, parameters
from gradstudy.track.schedule import Schedule

# What needs hooks on modules, which compiled code does not call.
_FORWARD = ("activation", "units", "time")


def check_model(model: object, schedule: Schedule) -> nn.Module:
    """The model, if it can be tracked; else UnsupportedModuleError."""
    if not isinstance(model, nn.Module):
        raise unsupported(f"a {type(model).__name__}", "an nn.Module", "pass the model whose parameters are trained")
    for name, module in model.named_modules():
        _check_module(name or ROOT, module, schedule)
    if any(isinstance(parameter, nn.UninitializedParameter) for parameter in model.parameters()):
        raise unsupported(
            "a lazy module that has no weights yet", "weights with values", "run one forward pass before tracking"
        )
    if not any(parameter.requires_grad for parameter in model.parameters()):
        raise unsupported(
            "a model none of whose parameters requires a gradient",
            "at least one that is trained",
            "call requires_grad_(True) on what is to be trained before tracking",
        )
    return model


def is_compiled(module: nn.Module) -> bool:
    """Whether torch.compile has been over it, as a function or as a method."""
    return hasattr(module, "_orig_mod") or getattr(module, "_compiled_call_impl", None) is not None


def _check_module(name: str, module: nn.Module, schedule: Schedule) -> None:
    compiled = is_compiled(module)
    hooked = [quantity for quantity in _FORWARD if quantity in schedule.every]
    if hooked and (compiled or isinstance(module, torch.jit.ScriptModule)):
        raise unsupported(
            f"a {'compiled' if compiled else 'scripted'} module ({name}) with the quantities {', '.join(hooked)}",
            "modules that run as Python, whose hooks are called",
            "track the module before it is compiled, or only its parameters: every={'gradient': 1, 'update': 1}",
        )
    if hooked and isinstance(module, nn.DataParallel) and len(module.device_ids) > 1:
        raise unsupported(
            f"nn.DataParallel over {len(module.device_ids)} devices with the quantities {', '.join(hooked)}",
            "one copy of the model",
            "track only its parameters: every={'gradient': 1, 'update': 1}; or use DistributedDataParallel",
        )


def check_optimizer(optimizer: Any, model: nn.Module) -> tuple[torch.optim.Optimizer, dict[str, nn.Parameter]]:
    """The optimizer itself, out of the wrappers of other libraries, and the model's parameters it owns, by name.

    Raises:
        OptimizerError: it is no optimizer, or owns none of them.
    """
    while isinstance(getattr(optimizer, "optimizer", None), torch.optim.Optimizer):
        optimizer = optimizer.optimizer  # accelerate's and Lightning's: their own hooks are never called
    if not isinstance(optimizer, torch.optim.Optimizer):
        raise OptimizerError(
            f"a {type(optimizer).__name__} as optimizer",
            needed="a torch.optim.Optimizer",
            why="clip factor and update are measured by hooks around its step",
            remedy="pass the optimizer itself (not a scheduler), or leave it out",
        )
    own = {id(parameter) for group in optimizer.param_groups for parameter in group["params"]}
    found = {name: parameter for name, parameter in parameters(model).items() if id(parameter) in own}
    if not found:
        raise OptimizerError(
            "an optimizer that owns none of the model's parameters",
            needed="the optimizer that trains this model",
            why="no update would ever be seen, and every layer would seem to stand still",
            remedy="make the optimizer from model.parameters(), after the model was moved to its device or replaced",
        )
    return optimizer, found


def check_scaler(scaler: object) -> None:
    """Raise OptimizerError unless it has a `get_scale()` as torch's GradScaler."""
    if scaler is not None and not callable(getattr(scaler, "get_scale", None)):
        raise OptimizerError(
            f"a {type(scaler).__name__} as scaler",
            needed="a torch.amp.GradScaler, or anything with get_scale()",
            why="gradients of a scaled loss would be reported too large by its scale",
            remedy="pass the scaler that scales the loss, or leave it out",
        )
