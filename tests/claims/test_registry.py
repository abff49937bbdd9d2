"""Oracle: small papers made up here, and the modules that the registry lists."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import ModuleType

import pytest

from gradstudy.claims import registry
from gradstudy.claims.claim import Claim, Region
from gradstudy.errors import UnknownClaimError


def claim(claim_id: str) -> Claim:
    return Claim(claim_id, "s", "read", "rate", "x", "y", Region(low=0), "run", lambda _: (), ())


@pytest.fixture
def papers(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name, ids in (("one1999", "AB"), ("two2000", "C")):
        module = ModuleType(f"gradstudy.claims.{name}")
        module.CLAIMS = tuple(map(claim, ids))  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(registry, "MODULES", ("one1999", "two2000"))
    registry.known.cache_clear()
    yield
    registry.known.cache_clear()


@pytest.mark.usefixtures("papers")
def test_claims_are_found_by_id():
    assert [registry.find(name).id for name in "CAB"] == ["C", "A", "B"]


@pytest.mark.usefixtures("papers")
def test_an_unknown_id_is_refused_with_the_known_ones():
    with pytest.raises(UnknownClaimError, match="one of C, B, A"):
        registry.find("D")


def test_two_claims_of_one_id_are_refused():
    with pytest.raises(UnknownClaimError, match="'A' in one and in two"):
        registry.collect([("one", [claim("A")]), ("two", [claim("B"), claim("A")])])
    with pytest.raises(UnknownClaimError, match="'A' in one and in one"):
        registry.collect([("one", [claim("A"), claim("A")])])


@pytest.mark.usefixtures("papers")
def test_a_listed_module_that_is_not_there_is_not_skipped(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(registry, "MODULES", ("one1999", "never0000"))
    registry.known.cache_clear()
    with pytest.raises(ModuleNotFoundError, match="never0000"):
        registry.find("A")
