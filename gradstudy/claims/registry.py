"""All claims by id: the `CLAIMS` of the modules listed here, one module a paper."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Iterable, Mapping
from functools import cache
from textwrap import shorten
from types import MappingProxyType

from gradstudy.claims.claim import Claim
from gradstudy.errors import UnknownClaimError

MODULES = (
    "pascanu2013",
    "pascanu2013surface",
    "pascanu2013crossing",
    "pascanu2013attractors",
    "pascanu2013temporal",
    "pascanu2013music",
    "pascanu2013clipping",
    "pascanu2013regularization",
    "pascanu2013vanishing",
    "gers2000",
    "neychev2019",
    "glorot2010",
    "he2015init",
    "yang2019",
    "schoenholz2017",
    "balduzzi2017",
    "saxe2014",
    "neychev2019nonlinearity",
    "he2015",
    "he2016",
    "veit2016",
    "neychev2019depth",
    "neychev2019products",
    "neychev2019weights",
    "neychev2019surface",
    "neychev2019clipping",
    "bengio1994",
    "neychev2019costs",
    "neychev2019gated",
)
"""Modules of `gradstudy.claims` that hold a paper's claims."""


def find(claim_id: str) -> Claim:
    """The claim of that id.

    Raises:
        UnknownClaimError: no listed module has it, or two have it.
    """
    return choose(claim_id, known())


def choose(claim_id: str, among: Mapping[str, Claim]) -> Claim:
    """The claim of that id among some.

    Raises:
        UnknownClaimError: none of them has it.
    """
    if claim_id not in among:
        close = difflib.get_close_matches(claim_id, among, n=3)
        raise UnknownClaimError(
            f"claim {claim_id!r}",
            needed=f"one of {shorten(', '.join(reversed(list(among))), 200, placeholder=' and others')}",
            why="a report decides only claims whose measure, region and controls were fixed beforehand",
            remedy=(f"did you mean {' or '.join(close)}? Else " if close else "")
            + "correct the id in study.yaml, or define the claim in a claims.py beside it",
        )
    return among[claim_id]


def collect(papers: Iterable[tuple[str, Iterable[Claim]]]) -> dict[str, Claim]:
    """Claims by id, in the order given; an id that comes twice is refused.

    Args:
        papers: name of a module and its claims.
    """
    claims: dict[str, Claim] = {}
    homes: dict[str, str] = {}
    for paper, own in papers:
        for claim in own:
            if claim.id in claims:
                raise UnknownClaimError(
                    f"claim {claim.id!r} in {homes[claim.id]} and in {paper}",
                    needed="an id of its own for every claim",
                    why="a study that names the id could be decided on either",
                    remedy=f"rename the claim in {paper}",
                )
            claims[claim.id], homes[claim.id] = claim, paper
    return claims


@cache
def known() -> MappingProxyType[str, Claim]:
    """All claims of gradstudy's own by id."""
    modules = ((name, importlib.import_module(f"gradstudy.claims.{name}")) for name in MODULES)
    return MappingProxyType(collect((name, module.CLAIMS) for name, module in modules))
