"""Checkpoints: where a training stands, in one npz file without pickle, and which training it is of."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gradstudy.errors import CheckpointError
from gradstudy.records import write_atomic

_OF = "configuration"


def configuration(value: object, name: str = "") -> dict[str, str]:
    """Names and values of all fields of a (nested) dataclass; arrays by their sha256."""
    join = f"{name}." if name else ""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        found = {f"{join}kind": type(value).__name__}
        for field in dataclasses.fields(value):
            found |= configuration(getattr(value, field.name), f"{join}{field.name}")
        return found
    if isinstance(value, list | tuple):
        parts = [configuration(part, f"{join}{i}") for i, part in enumerate(value)]
        return {f"{join}length": str(len(parts))} | {key: text for part in parts for key, text in part.items()}
    if isinstance(value, Tensor | np.ndarray):
        array = np.ascontiguousarray(value)
        return {name: f"{array.dtype}{array.shape} {hashlib.sha256(array.tobytes()).hexdigest()}"}
    return {name: repr(value)}


def save(path: Path, of: Mapping[str, str], arrays: Mapping[str, Tensor]) -> None:
    """Write a checkpoint, whole or not at all.

    Args:
        path: of the file.
        of: what it is a checkpoint of, as `configuration` gives it.
        arrays: by name.

    Raises:
        StorageError: the disk is full or read-only.
    """
    buffer = io.BytesIO()
    content: dict[str, Any] = {_OF: np.array(json.dumps(of))} | {name: array.numpy() for name, array in arrays.items()}
    np.savez(buffer, **content)
    write_atomic(path, buffer.getvalue())


def load(path: Path, of: Mapping[str, str]) -> dict[str, Tensor]:
    """The arrays of a checkpoint.

    Args:
        path: of the file.
        of: what it must be a checkpoint of.

    Raises:
        CheckpointError: it is one of another configuration (the message names what differs), or not readable.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        found = json.loads(str(arrays.pop(_OF)))
    except (OSError, ValueError, KeyError, AttributeError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise CheckpointError(
            f"{path}, which cannot be read ({error})",
            needed="a checkpoint as gradstudy wrote it",
            why="a training can only go on from where it stood",
            remedy="remove the file, and the training begins anew",
        ) from error
    differing = [key for key in {**of, **found} if found.get(key) != of.get(key)]
    if differing:
        words = [f"{key}: {found.get(key, 'nothing')} instead of {of.get(key, 'nothing')}" for key in differing]
        more = [f"and {len(differing) - 3} more"] if len(differing) > 3 else []
        raise CheckpointError(
            f"{path}, a checkpoint of another configuration ({'; '.join(words[:3] + more)})",
            needed="a checkpoint of this one",
            why="what went on from it would be neither the one training nor the other",
            remedy="give this training a file of its own, or remove that one",
        )
    return {name: torch.from_numpy(array) for name, array in arrays.items()}
