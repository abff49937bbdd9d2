"""Oracle: what the package writes is taken, and every way to make a path, a link or a crash of it is refused."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gradstudy.errors import ReportError
from gradstudy.report import form, page, stored


@pytest.fixture
def content(report: Path) -> dict[str, Any]:
    return json.loads((report / "report.json").read_text(encoding="utf-8"))


def changed(content: dict[str, Any], place: str, value: Any) -> bytes:
    content = copy.deepcopy(content)
    *parents, last = (int(name) if name.isdigit() else name for name in place.split("."))
    inner: Any = content
    for name in parents:
        inner = inner[name]
    inner[last] = value
    return json.dumps(content).encode()


def test_what_gradstudy_writes_is_taken_as_it_is(report: Path, content: dict[str, Any]):
    whole = {**content["runs"], "list": form.run_rows(content["runs"])}
    assert form.load(report / "report.json") == {**content, "runs": whole}


def test_committed_reports_are_taken():
    for path in (Path(__file__).parents[2] / "reports" / "standard").glob("*/report.json"):
        assert form.load(path)["study"] == path.parent.name


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("study", "../../../etc"),
        ("study", "made-up/../other"),
        ("profile", "../quick"),
        ("figures.0.name", "../../../x"),
        ("figures.0.name", "a b"),
        ("figures.0.png", "/etc/passwd"),
        ("figures.0.png", "figures/../../growth.png"),
        ("figures.0.svg", "http://elsewhere.example/x.svg"),
        ("figures.0.tables", ["../x"]),
        ("tables.0.name", "../rates"),
        ("tables.0.file", "../../other/tables/rates.csv"),
        ("tables.0.sha256", "zz"),
        ("sources.0.url", "javascript:alert(1)"),
        ("sources.0.key", "}\\input{x"),
        ("method.0.spans", [{"kind": "link", "spans": [], "href": "javascript:alert(1)"}]),
        ("method.0.spans", [{"kind": "link", "spans": [{"kind": "link", "href": "data:text/html,x"}], "href": ""}]),
        ("method.0.kind", "html"),
        ("claims.0.id", "<b>"),
        ("claims.0.id", "../P1"),
        ("claims.0.verdict", None),
        ("claims.0.estimates.0.value", "1e999"),
        ("claims.0.estimates.0.n", 1.5),
        ("claims", {}),
        ("runs.list", None),
        ("runs.list.0.parameters", []),
        ("date", "}}\\x"),
        ("title", 3),
        ("evidence", None),
    ],
)
def test_what_could_be_a_path_a_link_or_a_crash_is_refused(content: dict[str, Any], place: str, value: Any):
    with pytest.raises(ReportError, match="does not fit"):
        form.parse(changed(content, place, value), "a report")


def test_what_is_no_json_or_too_deep_is_refused(content: dict[str, Any]):
    for text in (b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 100_000):
        with pytest.raises(ReportError, match="cannot be read"):
            form.parse(text, "a report")
    with pytest.raises(ReportError, match="is of schema 3"):
        form.parse(changed(content, "schema", 3), "a report")


def gaps(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where a key can be left out: of a list only its first row is looked at, as all have the same form."""
    if isinstance(value, dict):
        for name, part in value.items():
            yield (*place, name)
            if name not in ("parameters", "modules", "versions", "drawn_with", "differences"):
                yield from gaps(part, (*place, name))
    elif isinstance(value, list):
        for number, part in enumerate(value):
            if isinstance(part, dict) and (number == 0 or "kind" in part):
                yield from gaps(part, (*place, number))


def test_whatever_is_left_out_is_refused_or_not_needed(report: Path, content: dict[str, Any]):
    places = list(gaps(content))
    assert len(places) > 150
    refused = 0
    for place in places:
        shorter = copy.deepcopy(content)
        inner: Any = shorter
        for name in place[:-1]:
            inner = inner[name]
        del inner[place[-1]]
        try:
            parsed = form.parse(json.dumps(shorter).encode(), "a report")
        except ReportError:
            refused += 1
            continue
        page.study_page(parsed, report)
        page.index_page([(parsed, report)], "standard")
        stored.runs(parsed)
    assert refused > 100
