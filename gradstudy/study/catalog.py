"""Finding studies: in the workspace and in the installed package."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from pathlib import Path

import gradstudy
from gradstudy.errors import StorageError, StudySpecError, UnknownStudyError
from gradstudy.study.spec import StudySpec, read_spec

SLUG = re.compile(r"[a-z][a-z0-9-]*")


@dataclass(frozen=True)
class Study:
    """A study: its name, its folder, its study.yaml."""

    slug: str
    folder: Path
    spec: StudySpec

    @property
    def notebook(self) -> Path:
        """The notebook, percent-format text."""
        return self.folder / "notebook.py"


def all_studies(workspace: Path) -> tuple[Study, ...]:
    """Every study of the workspace and of the package, by name."""
    return tuple(_open(slug, folder) for slug, folder in sorted(_folders(workspace).items()))


def find_study(slug: str, workspace: Path) -> Study:
    """The study of that name.

    Raises:
        UnknownStudyError: there is none, or two that differ.
        StudySpecError: its study.yaml does not fit.
    """
    folders = _folders(workspace)
    if slug in folders:
        return _open(slug, folders[slug])
    close = difflib.get_close_matches(slug, folders, n=3, cutoff=0.5)
    raise UnknownStudyError(
        f"the study {slug!r}",
        needed=f"one of: {', '.join(sorted(folders)) or '(there is none)'}",
        why=f"studies are looked for in {workspace / 'studies'} and in the installed package",
        remedy=f"did you mean {' or '.join(close)}?" if close else "`gradstudy list` shows them all",
    )


def find_studies(slugs: tuple[str, ...], workspace: Path) -> tuple[Study, ...]:
    """The studies of those names, each once; all when none is named."""
    if not slugs:
        return all_studies(workspace)
    return tuple(find_study(slug, workspace) for slug in dict.fromkeys(slugs))


def shipped_folder() -> Path:
    """Folder of the studies that came with the package."""
    package = Path(gradstudy.__file__).parent
    installed = package / "_studies"
    # An editable install has the studies beside the package.
    return installed if installed.is_dir() else package.parent / "studies"


def is_shipped(slug: str) -> bool:
    """Whether the study of that name came with the package; one in a workspace of that name is then the same."""
    return slug in _in(shipped_folder())


def _open(slug: str, folder: Path) -> Study:
    if not SLUG.fullmatch(slug):
        raise StudySpecError(
            f"a study in a folder named {slug!r}",
            needed="lower-case letters, digits and hyphens, a letter first",
            why="the name becomes a folder of runs and reports and part of every figure's identity",
            remedy=f"rename {folder}",
        )
    return Study(slug, folder, read_spec(folder / "study.yaml"))


def _folders(workspace: Path) -> dict[str, Path]:
    found = _in(shipped_folder())
    for slug, folder in _in(workspace / "studies").items():
        other = found.get(slug)
        if other and other.resolve() != folder.resolve() and _files(other) != _files(folder):
            raise UnknownStudyError(
                f"the study {slug!r} twice: {folder} and {other} differ",
                needed="one study of a name",
                why="runs and figures are known by the study's name",
                remedy="rename the one in the workspace",
            )
        found[slug] = folder
    return found


def _in(folder: Path) -> dict[str, Path]:
    try:
        return {path.parent.name: path.parent for path in folder.glob("*/study.yaml")}
    except OSError as error:
        raise StorageError(
            f"{folder} cannot be looked into: {error.strerror}",
            needed="a folder of studies that can be read",
            why="a study that is not seen is not run",
            remedy="allow reading there, or choose another workspace (--workspace)",
        ) from error


def _files(folder: Path) -> dict[str, bytes]:
    paths = [path for path in folder.rglob("*") if path.is_file()]
    names = {path.relative_to(folder): path for path in paths}
    visible = {name: path for name, path in names.items() if not _is_byproduct(name)}
    return {str(name): path.read_bytes() for name, path in visible.items()}


def _is_byproduct(name: Path) -> bool:
    return any(part.startswith(".") or part == "__pycache__" for part in name.parts)
