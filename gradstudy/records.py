"""Records: tables (csv), arrays (npz without pickle) and values (json) that a study's notebook keeps."""

from __future__ import annotations

import contextlib
import errno
import io
import json
import os
import re
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gradstudy.errors import RecordError, StorageError

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

RUN_VARIABLE = "GRADSTUDY_RUN"
CHECKPOINTS = "checkpoints"
_NAME = re.compile(r"[a-z][a-z0-9_]*")

_STORAGE_CAUSES = {
    errno.ENOSPC: ("the disk is full", "free space on that disk, or choose another workspace (--workspace)"),
    errno.EDQUOT: ("the quota is used up", "free space on that disk, or choose another workspace (--workspace)"),
    errno.EROFS: ("the disk is read-only", "choose a workspace on a writable disk (--workspace)"),
    errno.EACCES: ("the folder is read-only", "allow writing there, or choose another workspace (--workspace)"),
    errno.EPERM: ("the folder is read-only", "allow writing there, or choose another workspace (--workspace)"),
}


def record(name: str, value: object) -> None:
    """Keep a result of a study's notebook, and show it.

    Outside a run (no `GRADSTUDY_RUN` in the environment) the value is only shown.

    Args:
        name: `[a-z][a-z0-9_]*`, once a run.
        value: a DataFrame or anything with `to_frame()` (csv), a numpy array or torch tensor (npz), or None, a bool,
            int, float, str, or lists and dicts of these (json).

    Raises:
        RecordError: the name is malformed or used twice, or the value cannot be kept.
        StorageError: the disk is full or read-only.
    """
    if not _NAME.fullmatch(name):
        raise RecordError(
            f"a record named {name!r}",
            needed="a name of lower-case letters, digits and underscores that starts with a letter",
            why="the name becomes a file and a column of reports",
            remedy="rename the record, for example gs.record('growth_rate', ...)",
        )
    folder = os.environ.get(RUN_VARIABLE)
    if folder:
        _keep(Path(folder) / "records", name, value)
    _show(value)


def checkpoint_path(name: str) -> Path | None:
    """Where a long computation of a study's notebook may keep its state, so that an interrupted run can go on from it.

    The file is there for the next attempt at the same run, unless the run ended well or gradstudy's code has changed
    since. What writes it must write it whole (`write_atomic`).

    Args:
        name: of the file.

    Returns:
        A path in the run's folder; None outside a run, where nothing is kept.
    """
    folder = os.environ.get(RUN_VARIABLE)
    return Path(folder) / CHECKPOINTS / name if folder else None


def read_table(path: Path) -> pd.DataFrame:
    """Table of a csv record, every float exactly as it was kept."""
    text = _read(path)
    if not text.endswith(b"\n"):
        raise _unreadable(path, "its last line is cut off")
    try:
        return _parse_table(text)
    except ValueError as error:  # pandas' parser errors and bad UTF-8 are ValueErrors
        raise _unreadable(path, str(error)) from error


def read_array(path: Path) -> np.ndarray:
    """Array of an npz record; pickled content is refused."""
    import zipfile

    import numpy as np

    content = _read(path)
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            return arrays["value"]
    except (ValueError, KeyError, TypeError, AttributeError, EOFError, OSError, zipfile.BadZipFile) as error:
        # A bare .npy or a pickle is no mapping of arrays: TypeError and AttributeError.
        raise _unreadable(path, str(error)) from error


def read_value(path: Path) -> Any:
    """Value of a json record; NaN and Infinity are read as floats."""
    try:
        return json.loads(_read(path))
    except ValueError as error:
        raise _unreadable(path, str(error)) from error


def write_atomic(path: Path, content: bytes) -> None:
    """Write a file whole or not at all.

    Raises:
        StorageError: the disk is full or read-only; a file that was there before is untouched.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _replace(path, content)
    except OSError as error:
        raise storage_error(path, error) from error


def storage_error(path: Path, error: OSError) -> StorageError:
    """The named error for what the operating system said while `path` was written."""
    cause, remedy = _STORAGE_CAUSES.get(error.errno or 0, (str(error), "look at the folder and the disk it is on"))
    return StorageError(
        f"{path} could not be written: {cause}",
        needed="a folder that takes the file whole",
        why="a result that is kept in part would be read as if it were all",
        remedy=remedy,
    )


def _exact_floats(pandas_version: str) -> Any:
    # pandas reads floats exactly by default since 3.1, and since then warns of the option that asked for it.
    major, minor = pandas_version.split(".")[:2]
    return {} if (int(major), int(minor)) >= (3, 1) else {"float_precision": "round_trip"}


def _replace(path: Path, content: bytes) -> None:
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    try:
        with open(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        os.chmod(name, 0o666 & ~_umask())  # mkstemp's files are closed to everybody else
        os.replace(name, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _keep(folder: Path, name: str, value: object) -> None:
    if any(folder.glob(f"{name}.*")):
        raise RecordError(
            f"the record {name!r} for the second time in one run",
            needed="every record once",
            why="the second would silently replace the first",
            remedy="collect the rows and record them once, or give the second another name",
        )
    suffix, write = _format(value)
    write_atomic(folder / f"{name}{suffix}", write(name))


def _format(value: Any) -> tuple[str, Callable[[str], bytes]]:
    if hasattr(value, "to_frame"):
        value = value.to_frame()
    if hasattr(value, "to_csv"):
        return ".csv", lambda name: _table_bytes(name, value)
    if hasattr(value, "detach"):
        value = _tensor_to_array(value)
    if hasattr(value, "__array_interface__") and getattr(value, "shape", ()) != ():
        return ".npz", lambda name: _array_bytes(name, value)
    if hasattr(value, "__array_interface__"):
        value = value[()].item()  # numpy's scalars and arrays without axes
    return ".json", lambda name: _value_bytes(name, value)


def _tensor_to_array(tensor: Any) -> Any:
    tensor = tensor.detach().cpu()
    try:
        return tensor.numpy()
    except TypeError:  # numpy has no bfloat16; float32 holds its values exactly
        return tensor.float().numpy()


def _table_bytes(name: str, table: pd.DataFrame) -> bytes:
    table = table.reset_index() if any(level is not None for level in table.index.names) else table
    columns = list(table.columns)
    if not columns or len(set(columns)) < len(columns) or not all(isinstance(c, str) and c for c in columns):
        raise _unkeepable(name, f"a table with the columns {columns}", "columns with names, no two alike")
    kinds = {column: getattr(table[column].dtype, "kind", "O") for column in columns}
    if any(kind == "c" for kind in kinds.values()):
        raise _unkeepable(name, "a table of complex numbers", "real numbers: real and imaginary part as two columns")
    # A float32 is written as the float64 of the same value, so that its shortest text reads back exactly.
    exact = table.astype({column: "float64" for column, kind in kinds.items() if kind == "f"})
    content = exact.to_csv(index=False, na_rep="nan", lineterminator="\n").encode()
    texts = {column: table[column].tolist() for column, kind in kinds.items() if kind == "O"}
    if texts:
        _check_texts(name, texts, content)
    return content


def _check_texts(name: str, texts: dict[str, list[Any]], content: bytes) -> None:
    """Refuse text that csv gives back as something else: "01" and "1" would become one number."""
    back = _parse_table(content)
    for column, values in texts.items():
        changed = [a for a, b in zip(values, back[column].tolist(), strict=True) if isinstance(a, str) and a != b]
        if changed:
            raise _unkeepable(
                name,
                f"a table whose column {column!r} holds the text {changed[0]!r}, which csv gives back as a number, a "
                "truth value or nothing,",
                "numbers as numbers, and text that does not read as one",
            )


def _parse_table(content: bytes) -> pd.DataFrame:
    import pandas as pd

    # In one piece: read in parts, a column could be numbers in one and text in the next.
    return pd.read_csv(
        io.BytesIO(content), keep_default_na=False, na_values=["nan"], low_memory=False, **_exact_floats(pd.__version__)
    )


def _array_bytes(name: str, array: Any) -> bytes:
    import numpy as np

    array = np.asarray(array)
    if array.dtype.hasobject:
        raise _unkeepable(name, f"an array of dtype {array.dtype}", "an array of numbers, booleans or text")
    buffer = io.BytesIO()
    np.savez(buffer, value=array)
    return buffer.getvalue()


def _value_bytes(name: str, value: object) -> bytes:
    return (json.dumps(_plain(name, value), indent=1, ensure_ascii=False) + "\n").encode()


def _plain(name: str, value: Any) -> Any:
    """The value as JSON's own types; numpy's scalars become Python's."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list | tuple):
        return [_plain(name, item) for item in value]
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return {key: _plain(name, item) for key, item in value.items()}
    if hasattr(value, "__array_interface__") and getattr(value, "shape", None) == ():
        return _plain(name, value.item())
    needed = "a table, an array, or None, bool, int, float, str, and lists and dicts (with text keys) of these"
    raise _unkeepable(name, f"a {type(value).__name__}", needed)


def _unkeepable(name: str, came: str, needed: str) -> RecordError:
    return RecordError(
        f"{came} came for the record {name!r}",
        needed=needed,
        why="a record must be readable without running anybody's code, and give back what was put in",
        remedy="convert it before recording",
    )


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise _unreadable(path, error.strerror or str(error)) from error


def _unreadable(path: Path, because: str) -> RecordError:
    return RecordError(
        f"the record {path} cannot be read: {because}",
        needed="the file as gradstudy wrote it",
        why="what is left of it may be wrong",
        remedy="remove the run's folder and `gradstudy run` again",
    )


def _show(value: object) -> None:
    if "IPython" in sys.modules:
        from IPython.core.getipython import get_ipython

        if get_ipython() is not None:
            from IPython.display import display

            display(value)
            return
    print(value)
