"""A new study of one's own: a working folder to change."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from gradstudy.errors import StudySpecError
from gradstudy.records import storage_error
from gradstudy.study.catalog import SLUG, is_shipped

TEMPLATE = Path(__file__).with_name("template")
# Stands in the template for the study's name.
_NAME = "my-study"


def begin(slug: str, workspace: Path) -> Path:
    """Make `studies/<slug>` in a workspace: a whole study that runs as it is.

    Args:
        slug: lower-case letters, digits and hyphens, a letter first.
        workspace: where.

    Returns:
        The study's folder.

    Raises:
        StudySpecError: the name does not do, or is taken; nothing is overwritten.
        StorageError: the folder cannot be written.
    """
    folder = workspace / "studies" / slug
    if not SLUG.fullmatch(slug):
        raise StudySpecError(
            f"a study named {slug!r}",
            needed="lower-case letters, digits and hyphens, a letter first",
            why="the name becomes a folder of runs and reports and part of every figure's identity",
            remedy="for example `gradstudy init my-study`",
        )
    there = os.path.lexists(folder)  # a link to nowhere is something too
    if there or is_shipped(slug):
        raise StudySpecError(
            f"a new study {slug!r}, and {folder if there else 'gradstudy'} has one",
            needed="a name that is free",
            why="what is there would be overwritten, or two studies would share a name",
            remedy="choose another name",
        )
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".init-", dir=folder.parent) as aside:
            whole = Path(aside) / slug
            whole.mkdir()
            for path in sorted(TEMPLATE.iterdir()):
                if path.is_file():
                    text = path.read_text(encoding="utf-8").replace(_NAME, slug)
                    (whole / path.name).write_text(text, encoding="utf-8")
            whole.rename(folder)
    except OSError as error:
        raise storage_error(folder, error) from error
    return folder
