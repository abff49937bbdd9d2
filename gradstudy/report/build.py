"""Reports from records: tables, claims, figures, report.json, page and PDF of a study, and the index of a profile."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from gradstudy.errors import GradstudyError, ReportError, StorageError
from gradstudy.records import write_atomic
from gradstudy.report import edition, ledger
from gradstudy.report.inputs import stamp
from gradstudy.study.lock import hold_reports

if TYPE_CHECKING:
    import pandas as pd

    from gradstudy.claims.claim import Claim
    from gradstudy.report.assess import Assessment
    from gradstudy.report.gallery import Picture
    from gradstudy.study.catalog import Study
    from gradstudy.study.results import Results


def build_all(studies: Sequence[Study], profile: str, workspace: Path) -> Path:
    """Build what has changed: the report of every study that has runs, and the index over all reports there.

    Args:
        studies: the studies to look at; one without runs in this profile is left alone.
        profile: name of the profile.
        workspace: holds `runs/` and `reports/`.

    Returns:
        The folder `reports/<profile>`.

    Raises:
        GradstudyError: reports cannot be built, or read for the index; the former ones are untouched, the others built.
        StorageError: the disk is full or read-only; the former report is untouched.
        StudyHeldError: another process has been building the profile's reports for minutes.
    """
    folder, wrong = workspace / "reports" / profile, list[GradstudyError]()
    with hold_reports(workspace, profile) if (workspace / "runs").is_dir() else nullcontext():
        for study in studies:
            try:
                current = stamp(study, profile, workspace)
                if current and current != _stamp_of(folder / study.slug):
                    _build_from_runs(study, profile, workspace, current)
            except StorageError:
                raise
            except GradstudyError as error:  # the others must not wait for it
                wrong.append(error)
        wrong += _build_index(folder, profile)
    if wrong:
        raise _first_of(wrong)
    return folder


def build(results: Results, find_claim: Callable[[str], Claim], target: Path, stamp: str) -> None:
    """Build one report in `target`, all of it or nothing.

    Args:
        results: a profile's runs, tables and evidence.
        find_claim: the claim of an id.
        target: the report's folder.
        stamp: digest of the report's inputs, by which the next build knows whether anything changed.
    """
    from gradstudy.report import content, form, numbers, page, pdf, report_id, tables
    from gradstudy.report.workshop import replacing

    with replacing(target) as folder:
        runs = form.run_rows(content.runs(results.runs))
        files = {name: tables.as_bytes(tables.as_stored(table, runs)) for name, table in results.tables.items()}
        for name, written in files.items():
            write_atomic(folder / tables.FOLDER / f"{name}.csv", written)
        # From here on everything is made from what was written, as a reader of the folder finds it.
        kept = tables.read(folder, runs)
        pictures = _draw(results, kept, folder)
        assessments = _assess(results, find_claim, kept)
        material = content.Material(results, assessments, pictures, files, kept, stamp)
        write_atomic(folder / "report.json", content.as_bytes(content.report(material)))
        report = form.load(folder / "report.json")
        named = numbers.numbers(report, assessments, kept, report_id.identity(folder))
        write_atomic(folder / numbers.JSON, content.as_bytes(named))
        write_atomic(folder / numbers.TEX, numbers.as_tex(named))
        write_atomic(folder / "report.pdf", pdf.render(folder))
        write_atomic(folder / "index.html", page.study_page(report, folder))


def check(study: Study) -> None:
    """Find out before anything is run what would keep the study's report from being built.

    Raises:
        UnknownClaimError: study.yaml names a claim that is not there.
        ReportError: a claim's source or control is not in study.yaml, a source is in no references.bib, or figures.py
            or claims.py cannot be imported.
    """
    from gradstudy.report import references, study_claims
    from gradstudy.report.figure_functions import functions

    find_claim = study_claims.finder(study)
    for claim in study.spec.claims:
        study_claims.check(find_claim(claim), study)
    references.cited(study.spec.sources, study.folder)
    functions(study.folder)


def _draw(results: Results, kept: Mapping[str, pd.DataFrame], folder: Path) -> tuple[Picture, ...]:
    from gradstudy.report.gallery import Shelf, draw_all

    shelf = Shelf(results.study.slug, results.profile, kept, results.runs, edition.version(), edition.day().isoformat())
    pictures = draw_all(results.study.folder, shelf)
    for picture in pictures:
        for name, drawn in picture.files().items():
            write_atomic(folder / name, drawn)
    return pictures


def _assess(
    results: Results, find_claim: Callable[[str], Claim], kept: Mapping[str, pd.DataFrame]
) -> tuple[Assessment, ...]:
    from gradstudy.report.assess import Records, assess

    records = Records(results.profile, results.runs, kept)
    return tuple(assess(find_claim(claim), groups, records) for claim, groups in results.study.spec.claims.items())


def _build_from_runs(study: Study, profile: str, workspace: Path, stamp: str) -> None:
    from gradstudy.report.study_claims import finder
    from gradstudy.study.results import collect

    build(collect(study, profile, workspace), finder(study), workspace / "reports" / profile / study.slug, stamp)


def _first_of(wrong: Sequence[GradstudyError]) -> GradstudyError:
    first, *others = wrong
    for error in others:
        first.add_note(str(error))
    return first


def _build_index(folder: Path, profile: str) -> list[ReportError]:
    """The page over all reports that can be read; why the others cannot."""
    reports, broken = ledger.readable(folder)
    if reports:
        from gradstudy.report import page

        index = page.index_page(reports, profile)
        file = folder / "index.html"
        if not file.is_file() or file.read_bytes() != index:
            write_atomic(file, index)
    return broken


def _stamp_of(report_folder: Path) -> str:
    """Stamp of the report that is there; empty when there is none, or one that is not whole."""
    try:
        report = json.loads((report_folder / "report.json").read_text(encoding="utf-8"))
        named = [
            "index.html",
            "report.pdf",
            "numbers.json",
            "numbers.tex",
            *(table["file"] for table in report["tables"]),
        ]
        named += [figure[kind] for figure in report["figures"] for kind in ("png", "svg") if figure[kind]]
        whole = all((report_folder / name).is_file() for name in named)
        return str(report["stamp"]) if whole else ""
    except (OSError, ValueError, KeyError, TypeError):
        return ""
