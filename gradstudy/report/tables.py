"""Tables of a report on disk: csv that gives back the very same numbers."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

FOLDER = "tables"
_NAN = "nan"  # as in records


def as_bytes(table: pd.DataFrame) -> bytes:
    """The table as csv; floats in the shortest form that is exact, line ends the same on every system."""
    buffer = io.StringIO()
    table.to_csv(buffer, index=False, na_rep=_NAN, lineterminator="\n")
    return buffer.getvalue().encode()


def from_bytes(content: bytes) -> pd.DataFrame:
    """The table back; an empty text stays empty and is not a missing number."""
    import pandas as pd

    return pd.read_csv(
        io.BytesIO(content),
        keep_default_na=False,
        na_values=[_NAN],
        low_memory=False,
        dtype={"run": str, "group": str, "control": str},  # a digest may look like a number
        **_exact_floats(pd.__version__),
    )


def read(folder: Path) -> dict[str, pd.DataFrame]:
    """All tables of a report, by name."""
    return {path.stem: from_bytes(path.read_bytes()) for path in sorted((folder / FOLDER).glob("*.csv"))}


def digest(tables: Mapping[str, bytes]) -> str:
    """Twelve characters that change with any name or byte of these tables."""
    whole = hashlib.sha256()
    for name in sorted(tables):
        whole.update(f"{name}\0{hashlib.sha256(tables[name]).hexdigest()}\n".encode())
    return whole.hexdigest()[:12]


def _exact_floats(pandas_version: str) -> Any:
    # pandas reads floats exactly by default since 3.1, and since then warns of the option that asked for it.
    major, minor = pandas_version.split(".")[:2]
    return {} if (int(major), int(minor)) >= (3, 1) else {"float_precision": "round_trip"}
