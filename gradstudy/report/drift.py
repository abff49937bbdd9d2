"""Whether the verdicts in committed reports are those that the runs in the workspace give."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from gradstudy.errors import ReportError
from gradstudy.report import content, form, study_claims, tables, words
from gradstudy.report.assess import Records, assess
from gradstudy.study.catalog import Study, find_study
from gradstudy.study.results import MISSING, Results, collect
from gradstudy.study.workspace import profile_reports

_ABSENT = "not there"


@dataclass(frozen=True)
class Change:
    """A claim whose verdict has changed, with the effects that the two rest on."""

    study: str
    claim: str
    committed: str
    now: str
    committed_effect: str
    effect: str


@dataclass(frozen=True)
class Drift:
    """What a comparison of a profile's verdicts gave.

    Args:
        against: where the committed reports were read.
        compared: study to the number of its claims.
        skipped: studies of which there is no run here.
        changes: the claims that changed.
    """

    against: str
    compared: Mapping[str, int]
    skipped: tuple[str, ...]
    changes: tuple[Change, ...]

    def as_json(self) -> dict[str, Any]:
        """As plain data."""
        return asdict(self)

    def __str__(self) -> str:
        lines = [f"runs here against {self.against}"]
        lines += [f"{study}: not compared, there are no runs of it here" for study in self.skipped]
        for study, count in self.compared.items():
            changed = [change for change in self.changes if change.study == study]
            lines.append(f"{study}: {words.count(count, 'claim')}, {len(changed) or 'none'} changed")
            lines += [
                f"  {change.claim}: {change.committed} ({change.committed_effect or 'no estimate'})"
                f" -> {change.now} ({change.effect or 'no estimate'})"
                for change in changed
            ]
        return "\n".join(lines)


def drift(profile: str, workspace: Path) -> Drift:
    """Compare the verdicts of the reports committed in a workspace with those of the runs there.

    A verdict has changed when its word has: one that is undecided for another reason is still undecided.

    Args:
        profile: its name; no profile is compared with another.
        workspace: holds `runs/` and `reports/`. In a git repository the reports of its last commit count, since
            `gradstudy run` writes those on disk anew.

    Raises:
        ReportError: there is no report of the profile, or no run of a study that has one.
    """
    against, reports = _committed(profile, workspace)
    results = {slug: collect(find_study(slug, workspace), profile, workspace) for slug in reports}
    there = {slug: found for slug, found in results.items() if any(run.status != MISSING for run in found.runs)}
    if not there:
        raise ReportError(
            f"nothing to compare: {words.count(len(reports), 'report')} of profile {profile} in {against}, and no runs",
            needed="runs of at least one study that has a committed report",
            why="a check that compares nothing would pass",
            remedy=f"`gradstudy run --profile {profile}`, or name the workspace (--workspace)",
        )
    changes = [change for slug, found in there.items() for change in _changes(reports[slug], found)]
    compared = {slug: len(reports[slug]["claims"]) for slug in there}
    return Drift(against, compared, tuple(slug for slug in reports if slug not in there), tuple(changes))


def _changes(report: Mapping[str, Any], results: Results) -> Iterator[Change]:
    before = {claim["id"]: claim for claim in report["claims"]}
    after = {claim["id"]: claim for claim in _decided(results.study, results)}
    for name in dict.fromkeys((*before, *after)):
        verdicts = [claims.get(name, {}).get("verdict", _ABSENT) for claims in (before, after)]
        if verdicts[0].partition(":")[0] != verdicts[1].partition(":")[0]:
            effects = [claims[name]["effect"]["text"] if name in claims else "" for claims in (before, after)]
            yield Change(results.study.slug, name, *verdicts, *effects)


def _decided(study: Study, results: Results) -> Iterator[dict[str, Any]]:
    rows = form.run_rows(content.runs(results.runs))
    kept = {name: tables.read_back(table, rows) for name, table in results.tables.items()}
    records = Records(results.profile, results.runs, kept)
    find_claim = study_claims.finder(study)
    for claim, groups in study.spec.claims.items():
        yield content.claim_row(assess(find_claim(claim), groups, records))


def _committed(profile: str, workspace: Path) -> tuple[str, dict[str, dict[str, Any]]]:
    """Where the committed reports are, and each by its study."""
    place = profile_reports(workspace, profile)
    names = _git(workspace, "ls-tree", "-r", "-z", "--name-only", "HEAD", "--", place.relative_to(workspace).as_posix())
    files = [name for name in (names or b"").decode().split("\0") if name.endswith("/report.json")]
    if files:
        texts = {name: _git(workspace, "cat-file", "blob", f"HEAD:./{name}") for name in files}
        return f"{place.relative_to(workspace)} of the last commit", _by_study(texts)
    on_disk = sorted(place.glob("[!.]*/report.json"))
    return str(place), _by_study({path.relative_to(workspace).as_posix(): path.read_bytes() for path in on_disk})


def _by_study(texts: Mapping[str, bytes | None]) -> dict[str, dict[str, Any]]:
    reports = [form.parse(text or b"", name) for name, text in texts.items()]
    return {report["study"]: report for report in reports}


def _git(workspace: Path, *arguments: str) -> bytes | None:
    """What git says; None without git, or outside a repository."""
    try:
        return subprocess.run(["git", "-C", str(workspace), *arguments], capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return None
