"""Every number of a report by a name: numbers.json says where each comes from, numbers.tex has it as a LaTeX macro."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from gradstudy.claims.claim import Estimate
from gradstudy.report import estimate_tables, prose, words
from gradstudy.report.latex import latex
from gradstudy.report.macros import camel, distinct
from gradstudy.report.metadata import washed

if TYPE_CHECKING:
    import pandas as pd

    from gradstudy.report.assess import Assessment, ControlOutcome, Measured
    from gradstudy.report.identity import Identity

JSON, TEX = "numbers.json", "numbers.tex"

_HEAD = r"""
% An estimate NAME gives the macros \gsNAMEValue, \gsNAMELow, \gsNAMEHigh (95 % interval, or numerical error bound; of a
% study without claims what its method says), \gsNAMEN and \gsNAMEText; a figure gives \gsNAMECaption. Under NAME,
% numbers.json beside this file has the exact numbers, the tables and the runs.
\providecommand{\gsdefine}[2]{\expandafter\newcommand\csname gs#1\endcsname{#2}}
\providecommand{\gsestimate}[6]{\gsdefine{#1Value}{#2}\gsdefine{#1Low}{#3}\gsdefine{#1High}{#4}%
  \gsdefine{#1N}{#5}\gsdefine{#1Text}{#6}}
""".strip()


def numbers(
    report: Mapping[str, Any],
    assessments: Sequence[Assessment],
    tables: Mapping[str, pd.DataFrame],
    identity: Identity,
) -> dict[str, Any]:
    """Content of numbers.json.

    Args:
        report: content of report.json.
        assessments: its claims, in their order.
        tables: its tables, with the parameters of each row's run.
        identity: of the report.

    Returns:
        `report` (its id), `edition`, `runs`, and for each claim its verdict, its estimates (`name`, `condition`,
        `unit`, `value`, `low`, `high`, `n`) and those of its controls; of a study without claims, in `measured`, the
        estimates that it recorded; in `captions` those of the figures, with the numbers in them. `records` holds the
        tables (name to sha256) and the runs (first 12 characters of their digests) that each was made from.
    """
    prefix = camel("" if report["profile"] == "standard" else report["profile"]) + camel(report["study"])
    digests = {table["name"]: table["sha256"] for table in report["tables"]}
    recorded = list(estimate_tables.estimates(report, tables))
    drawn = [figure for figure in report["figures"] if not figure["missing"]]
    names = iter(list(distinct([*_names(prefix, assessments), *_further_names(prefix, recorded, drawn)])))
    ends = [run["status"] for run in report["runs"]["list"]]
    return {
        "report": identity.id,
        "edition": f"{identity.caption}, gradstudy {identity.version}, {identity.date}",
        "runs": {"name": next(names), "planned": len(ends), "finished": ends.count("ok")},
        "claims": [_claim(assessment, names, digests) for assessment in assessments],
        "measured": [
            {**_estimate(found, next(names)), "records": {"tables": {table: digests[table]}, "runs": [run]}}
            for table, run, found in recorded
        ],
        "captions": [_caption(figure, next(names), digests, tables) for figure in drawn],
    }


def as_tex(content: Mapping[str, Any]) -> bytes:
    """numbers.tex, from the content of numbers.json; a name that is taken already is an error, not another number."""
    runs = content["runs"]
    lines = [_comment(f"Numbers of {content['report']}: {content['edition']}."), _HEAD]
    lines += [_define(f"{runs['name']}{end.title()}", runs[end]) for end in ("planned", "finished")]
    for claim in content["claims"]:
        lines += ["", _comment(claim["claim"]), _define(f"{claim['name']}Verdict", claim["verdict"])]
        lines += _estimates(claim["estimates"])
        for control in claim["controls"]:
            lines += [_comment(f"{claim['claim']}, control {control['control']}"), *_estimates(control["estimates"])]
    lines += ["", *_estimates(content["measured"])] if content["measured"] else []
    lines += ["", *(_define(row["name"], row["caption"]) for row in content["captions"])]
    return ("\n".join(lines) + "\n").encode()


def _names(prefix: str, assessments: Sequence[Assessment]) -> Iterator[str]:
    """Names of the runs, of each claim, its estimates and its controls' estimates, in the order they are asked for."""
    yield f"{prefix}Runs"
    for assessment in assessments:
        own = prefix + camel(assessment.claim.id)
        yield own
        yield from _conditions(own, assessment.measured)
        for outcome in assessment.controls:
            yield from _conditions(f"{own}Control{camel(outcome.control.name)}", outcome.measured)


def _further_names(
    prefix: str, recorded: Sequence[tuple[str, str, Estimate]], drawn: Sequence[Mapping[str, Any]]
) -> Iterator[str]:
    """Names of the estimates that were recorded and of the figures' captions, in the order they are asked for."""
    for table, _, found in recorded:
        yield prefix + camel(table) + camel(found.condition)
    for figure in drawn:
        yield f"{prefix}{camel(figure['name'].replace('_', ' '))}Caption"


def _caption(
    figure: Mapping[str, Any], name: str, digests: Mapping[str, str], tables: Mapping[str, pd.DataFrame]
) -> dict[str, Any]:
    runs = sorted({run for table in figure["tables"] for run in tables[table]["run"]})
    records = {"tables": {table: digests[table] for table in figure["tables"]}, "runs": runs}
    return {"figure": figure["id"], "name": name, "caption": prose.plain(figure["caption"]), "records": records}


def _conditions(name: str, measured: Measured) -> Iterator[str]:
    """One an estimate: by its condition's words before a colon, behind which measures write what they found there."""
    if len(measured.estimates) == 1:
        yield f"{name}Estimate"
        return
    for estimate in measured.estimates:
        yield f"{name}At{camel(estimate.condition.partition(':')[0].partition(';')[0])}"


def _claim(assessment: Assessment, names: Iterator[str], digests: Mapping[str, str]) -> dict[str, Any]:
    return {
        "claim": assessment.claim.id,
        "name": next(names),
        "verdict": assessment.verdict,
        **_measured(assessment.measured, names, digests),
        "controls": [_control(outcome, names, digests) for outcome in assessment.controls],
    }


def _control(outcome: ControlOutcome, names: Iterator[str], digests: Mapping[str, str]) -> dict[str, Any]:
    return {"control": outcome.control.name, **_measured(outcome.measured, names, digests)}


def _measured(measured: Measured, names: Iterator[str], digests: Mapping[str, str]) -> dict[str, Any]:
    runs = sorted({run for seen in measured.seen.values() for run in seen})
    return {
        "estimates": [_estimate(estimate, next(names)) for estimate in measured.estimates],
        "records": {"tables": {name: digests[name] for name in measured.seen}, "runs": runs},
    }


def _estimate(found: Estimate, name: str) -> dict[str, Any]:
    numbers = {part: float(getattr(found, part)) for part in ("value", "low", "high")}
    return {"name": name, "condition": found.condition, "unit": found.unit, **numbers, "n": int(found.n)}


def _estimates(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for row in rows:
        if row["condition"]:
            yield _comment(row["condition"])
        value, low, high = (float(row[part]) for part in ("value", "low", "high"))  # also "Infinity" and "NaN"
        found = Estimate(value, low, high, row["n"], row["unit"])
        texts = (*words.alike(value, low, high), str(found.n), words.estimate(found))
        yield rf"\gsestimate{{{row['name']}}}" + "".join(f"{{{latex(text)}}}" for text in texts)


def _define(name: str, text: object) -> str:
    return rf"\gsdefine{{{name}}}{{{latex(str(text))}}}"


def _comment(text: str) -> str:
    return f"% {washed(text)}"  # one line, whatever it holds
