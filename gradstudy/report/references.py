"""The literature: entries of `references.bib`, as BibTeX and as a line to read."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType

from gradstudy.errors import ReportError

FILE = Path(__file__).with_name("references.bib")

# The file keeps to this form, and so must a study's own: one field a line, every value in braces.
_FORM = "@article{key,\n  author = {Family, Given and Family, Given},\n  title = {...},\n  year = {...},\n}"
_BEGIN = re.compile(r"^[ \t]*@(?!comment\b)\w+\s*[{(]\s*(?P<key>[^,\s]*)", re.MULTILINE | re.IGNORECASE)
_ENTRY = re.compile(r"@\w+\{[^,\s]+,\n(?P<fields>.*?)^\}", re.MULTILINE | re.DOTALL)
_FIELD = re.compile(r"^\s*(\w+)\s*=\s*\{(.*)\},?\s*$", re.MULTILINE)
_ACCENTS = {'\\"a': "ä", '\\"e': "ë", '\\"o': "ö", '\\"u': "ü", "\\'e": "é", "\\'c": "ć", "\\vc": "č"}


def cited(keys: Iterable[str], folder: Path | None = None) -> list[dict[str, str]]:
    """For every key: `key`, `text` (a line to read), `url` (may be empty) and `bibtex`.

    Args:
        keys: of entries.
        folder: of a study that may have a `references.bib` of its own, in the same form.

    Raises:
        ReportError: a key that no `references.bib` has, an entry that cannot be read, or one key for two entries.
    """
    known = _shipped() if folder is None else _with_own(folder / FILE.name)
    return [_entry(key, known) for key in keys]


def label(source: Mapping[str, str]) -> tuple[str, str]:
    """Year of an entry of `cited`, and what it is called in a list: Pascanu et al. (2013), On the difficulty of ...

    The key stands for it if its BibTeX, which can be anybody's, does not say authors, year and title.
    """
    fields = _fields(source["bibtex"])
    if not {"author", "year", "title"} <= fields.keys():
        return "", source["key"]
    families = [_parted(name)[0] for name in fields["author"].split(" and ")]
    who = " and ".join(families) if len(families) < 3 else f"{families[0]} et al."
    return fields["year"], f"{who} ({fields['year']}), {fields['title']}"


def _entry(key: str, known: Mapping[str, str]) -> dict[str, str]:
    if key not in known:
        raise ReportError(
            f"source {key!r}",
            needed=f"one of {', '.join(known)}",
            why="a reader could not look up what the study is measured against",
            remedy="correct the key in study.yaml, or put its entry into a references.bib beside it",
        )
    bibtex = known[key]
    fields = _fields(bibtex)
    if misread := _misread(bibtex, fields):
        raise ReportError(
            f"the entry {key!r} {misread}",
            needed="author, title and year, one field a line, its value in braces",
            why="without them, or with what was misread, a reader could not look the source up",
            remedy=f"write it as {_FORM}",
        )
    return {"key": key, "text": _sentence(fields), "url": _address(fields), "bibtex": bibtex}


def _misread(bibtex: str, fields: Mapping[str, str]) -> str:
    """What of an entry would be dropped or taken for something else; empty when all of it is read."""
    if not (entry := _ENTRY.fullmatch(bibtex)):
        return "that does not begin with @kind{key, and end with }, each a line of its own"
    lines = [line for line in entry["fields"].splitlines() if line.strip()]
    for line in lines:
        if not ((field := _FIELD.fullmatch(line)) and _is_balanced(field[2])):
            return f"with the line {line.strip()[:80]!r}"
    if len(fields) < len(lines):
        return "with a field twice"
    missing = [name for name in ("author", "title", "year") if not fields.get(name)]
    return f"without a readable {', '.join(missing)}" if missing else ""


def _is_balanced(value: str) -> bool:
    depth = 0
    for letter in value:
        depth += (letter == "{") - (letter == "}")
        if depth < 0:
            return False
    return depth == 0


@cache
def _shipped() -> MappingProxyType[str, str]:
    return MappingProxyType(_entries(FILE))


def _with_own(path: Path) -> Mapping[str, str]:
    """gradstudy's entries and those of a study's own file."""
    if not path.is_file():
        return _shipped()
    own, shipped = _entries(path), _shipped()
    if twice := [key for key in own if own[key] != shipped.get(key, own[key])]:
        raise ReportError(
            f"the key {', '.join(twice)} in {path.parent.name}/{path.name}",
            needed="a key that gradstudy's own references do not have, or the same entry",
            why="one key would stand for two sources",
            remedy="rename the key there and in study.yaml",
        )
    return {**shipped, **own}


def _entries(path: Path) -> dict[str, str]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ReportError(
            f"{path} cannot be read: {error}",
            needed="BibTeX as UTF-8 text",
            why="the sources of a study are cited from it",
            remedy="mend the file, or leave it out and cite gradstudy's own sources only",
        ) from error
    # Each entry by where it and the next one begin: one that does not end as it should must not take in the next.
    begins = list(_BEGIN.finditer(text))
    ends = [*(begin.start() for begin in begins[1:]), len(text)]
    found = [(begin["key"], text[begin.start() : end].strip()) for begin, end in zip(begins, ends, strict=False)]
    if twice := [key for key, count in Counter(key for key, _ in found).items() if count > 1]:
        raise ReportError(
            f"the key {', '.join(twice)} more than once in {path.parent.name}/{path.name}",
            needed="every key once",
            why="one key would stand for two sources",
            remedy="rename one of them there and in study.yaml, or remove it",
        )
    return {key: entry[0] if (entry := _ENTRY.match(text)) else text for key, text in found}


def _fields(bibtex: str) -> dict[str, str]:
    return {name.lower(): _decoded(value) for name, value in _FIELD.findall(bibtex)}


def _decoded(value: str) -> str:
    for code, letter in _ACCENTS.items():
        value = value.replace(code, letter)
    return re.sub(r"[{}]", "", value).replace("--", "–")


def _sentence(fields: dict[str, str]) -> str:
    places = [fields.get(name, "") for name in ("booktitle", "journal", "howpublished", "series")]
    issue = fields.get("volume", "") + (f"({fields['number']})" if "number" in fields else "")
    pages = fields.get("pages", "")
    places.append(f"{issue}:{pages}" if issue and pages else issue or pages)
    parts = [f"{_authors(fields['author'])} ({fields['year']})", fields["title"], ", ".join(filter(None, places))]
    parts.append(f"arXiv:{fields['eprint']}" if "eprint" in fields else "")
    parts.append(fields.get("note", ""))
    return " ".join(f"{part.rstrip('.')}." for part in parts if part)


def _authors(names: str) -> str:
    *others, last = (_initials(name) for name in names.split(" and "))
    return f"{', '.join(others)} and {last}" if others else last


def _initials(name: str) -> str:
    family, given = _parted(name)
    return f"{family}, {' '.join(f'{part[0]}.' for part in given.split())}" if given else family


def _parted(name: str) -> tuple[str, str]:
    """Family and given names; the latter are empty for an institution of one word."""
    family, comma, given = name.partition(", ")
    if not comma:  # "Given Family"
        given, _, family = name.rpartition(" ")
    return family, given


def _address(fields: dict[str, str]) -> str:
    if "doi" in fields:
        return f"https://doi.org/{fields['doi']}"
    return f"https://arxiv.org/abs/{fields['eprint']}" if "eprint" in fields else ""
