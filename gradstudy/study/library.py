"""A study's own functions: the `lib.py` beside its notebook, which a run brings along."""

from __future__ import annotations

import os
from pathlib import Path

from gradstudy.errors import StudySpecError
from gradstudy.records import write_atomic

FILE = "lib.py"
# In a run's folder: what its kernel may import besides what is installed.
FOLDER = "library"


def read(study_folder: Path) -> str | None:
    """Text of a study's `lib.py`; None if it has none.

    Raises:
        StudySpecError: it cannot be read.
    """
    path = study_folder / FILE
    if not path.is_file():
        return None
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise StudySpecError(
            f"{path} cannot be read: {error}",
            needed="the study's own functions as UTF-8 text",
            why="the notebook imports them, and they are part of a run's identity",
            remedy="mend the file, or remove it if the notebook needs none",
        ) from error


def bring(text: str | None, run_folder: Path) -> dict[str, str]:
    """Put a study's functions into a run's folder, as they were when its identity was computed.

    Args:
        text: of `lib.py`; None for a study without.
        run_folder: of the run.

    Returns:
        Variables of a kernel that can import them.
    """
    if text is None:
        return {}
    write_atomic(run_folder / FOLDER / FILE, text.encode())
    others = os.environ.get("PYTHONPATH")
    return {"PYTHONPATH": os.pathsep.join([str(run_folder / FOLDER), *([others] if others else [])])}
