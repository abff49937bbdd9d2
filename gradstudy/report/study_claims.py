"""The claims that a study can name: gradstudy's own, and those of a `claims.py` in the study's folder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from gradstudy.claims import registry
from gradstudy.claims.claim import Claim
from gradstudy.errors import ReportError
from gradstudy.report.study_module import load
from gradstudy.study.catalog import Study

FILE = "claims.py"


def finder(study: Study) -> Callable[[str], Claim]:
    """What finds a claim by its id, for one study.

    Raises:
        ReportError: `claims.py` cannot be imported, or has no `CLAIMS` that are claims.
        UnknownClaimError: an id in it is taken; from the function returned: there is no such claim.
    """
    papers = [("gradstudy", tuple(registry.known().values())), (f"{study.slug}/{FILE}", _own(study))]
    return partial(_find, registry.collect(papers))


def check(claim: Claim, study: Study) -> None:
    """Find out whether a study names what a claim of its own rests on; gradstudy's are whole.

    Raises:
        ReportError: the claim's source is not among the study's, or a control of it is in none of its profiles.
    """
    if registry.known().get(claim.id) is claim:
        return
    key = claim.source.partition(":")[0].strip()
    if key not in study.spec.sources:
        raise ReportError(
            f"claim {claim.id} of {study.slug} with the source {claim.source!r}",
            needed=f'"key: place", the key one of `sources` in study.yaml ({", ".join(study.spec.sources) or "none"})',
            why="whoever cites the claim cites where it comes from",
            remedy=f"add {key} to `sources` and to a references.bib, or correct the claim's source",
        )
    planted = {control.name for profile in study.spec.profiles.values() for control in profile.controls}
    if missing := [control.name for control in claim.controls if control.name not in planted]:
        raise ReportError(
            f"claim {claim.id} of {study.slug} with the control {', '.join(missing)}",
            needed=f"controls of study.yaml ({', '.join(sorted(planted)) or 'it has none'})",
            why="a claim whose control is never run stays undecided",
            remedy="add the control to a profile in study.yaml, or correct its name in the claim",
        )


def _find(among: dict[str, Claim], claim_id: str) -> Claim:
    return registry.choose(claim_id, among)


def _own(study: Study) -> Sequence[Claim]:
    path = study.folder / FILE
    if not path.is_file():
        return ()
    claims = getattr(load(path), "CLAIMS", None)
    if not (isinstance(claims, list | tuple) and all(isinstance(claim, Claim) for claim in claims)):
        raise ReportError(
            f"{study.slug}/{FILE} with CLAIMS = {claims!r:.80}",
            needed="CLAIMS, a tuple of gradstudy.claims.claim.Claim",
            why="a claim is decided by the measure, region and controls that its Claim fixes beforehand",
            remedy=f"end {FILE} with CLAIMS = (Claim(...), ...)",
        )
    return claims
