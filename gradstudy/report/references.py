"""The literature: entries of `references.bib`, as BibTeX and as a line to read."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from types import MappingProxyType

from gradstudy.errors import ReportError

FILE = Path(__file__).with_name("references.bib")

# The file is the project's own and keeps to this form: one field a line, every value in braces.
_ENTRY = re.compile(r"^@(?P<kind>\w+)\{(?P<key>[^,\s]+),\n(?P<fields>.*?)^\}", re.MULTILINE | re.DOTALL)
_FIELD = re.compile(r"^\s*(\w+)\s*=\s*\{(.*)\},?\s*$", re.MULTILINE)
_ACCENTS = {'\\"a': "ä", '\\"e': "ë", '\\"o': "ö", '\\"u': "ü", "\\'e": "é", "\\'c": "ć", "\\vc": "č"}


def cited(keys: Iterable[str]) -> list[dict[str, str]]:
    """For every key: `key`, `text` (a line to read), `url` (may be empty) and `bibtex`.

    Raises:
        ReportError: a key that `references.bib` does not have.
    """
    return [_entry(key) for key in keys]


def _entry(key: str) -> dict[str, str]:
    known = _known()
    if key not in known:
        raise ReportError(
            f"source {key!r}",
            needed=f"one of {', '.join(known)}",
            why="a reader could not look up what the study is measured against",
            remedy="correct the key in study.yaml or leave it out: for now a source can only be one of gradstudy's own",
        )
    bibtex = known[key]
    fields = {name: _decoded(value) for name, value in _FIELD.findall(bibtex)}
    return {"key": key, "text": _sentence(fields), "url": _address(fields), "bibtex": bibtex}


@cache
def _known() -> MappingProxyType[str, str]:
    text = FILE.read_text(encoding="utf-8")
    return MappingProxyType({match["key"]: match[0] for match in _ENTRY.finditer(text)})


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
    family, given = name.split(", ")
    return f"{family}, {' '.join(f'{part[0]}.' for part in given.split())}"


def _address(fields: dict[str, str]) -> str:
    if "doi" in fields:
        return f"https://doi.org/{fields['doi']}"
    return f"https://arxiv.org/abs/{fields['eprint']}" if "eprint" in fields else ""
