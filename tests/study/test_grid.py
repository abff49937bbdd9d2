"""Oracle: the product of the axes written out by hand, and what a control is by definition: one value changed."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradstudy.errors import ParameterError, StudySpecError
from gradstudy.study.grid import points
from gradstudy.study.parameters import parse_schema
from gradstudy.study.spec import Profile

SCHEMA = parse_schema(["size: int = 8\nslope: float = 1.0\nkind: str = 'a'"], Path("notebook.py"))
GROUP = {"name": "base", "set": {"size": 4}, "over": {"kind": ["a", "b"], "slope": [1, 2.0]}}


def profile(*groups, controls=()):
    return Profile.model_validate({"grid": list(groups), "controls": list(controls)})


def rows(found):
    return [(point.group, point.control, *point.parameters.values()) for point in found]


def test_points_are_the_product_in_the_order_written():
    assert rows(points(profile(GROUP), SCHEMA)) == [
        ("base", "", 4, 1.0, "a"),
        ("base", "", 4, 2.0, "a"),
        ("base", "", 4, 1.0, "b"),
        ("base", "", 4, 2.0, "b"),
    ]


def test_controls_are_the_points_of_their_group_with_one_value_planted():
    control = {"name": "larger", "like": "base", "plant": {"size": 5}}
    found = points(profile(GROUP, controls=[control]), SCHEMA)
    assert [(p.group, p.control) for p in found[4:]] == [("base", "larger")] * 4
    for before, after in zip(found[:4], found[4:], strict=True):
        assert dict(after.parameters) == {**before.parameters, "size": 5}


@given(st.lists(st.integers(), min_size=1, unique=True, max_size=4), st.lists(st.text(), min_size=1, unique=True))
def test_there_are_as_many_points_as_the_axes_say(sizes, kinds):
    group = {"name": "g", "over": {"size": sizes, "kind": kinds}}
    found = points(profile(group), SCHEMA)
    assert {(p.parameters["size"], p.parameters["kind"]) for p in found} == {(s, k) for s in sizes for k in kinds}
    assert len(found) == len(sizes) * len(kinds)


def test_the_same_point_in_two_groups_is_two_points():
    groups = [{"name": "one"}, {"name": "two"}]
    assert [p.group for p in points(profile(*groups), SCHEMA)] == ["one", "two"]


@pytest.mark.parametrize(
    ("group", "controls", "says"),
    [
        ({"name": "g", "set": {"sise": 1}}, [], "group g: the parameter 'sise'"),
        ({"name": "g", "over": {"size": [1, 2.5]}}, [], "group g: size = 2.5"),
        ({"name": "g", "over": {"slope": [1, 1.0]}}, [], "twice"),
        ({"name": "g"}, [{"name": "c", "like": "g", "plant": {"size": 8}}], "has already"),
        ({"name": "g"}, [{"name": "c", "like": "g", "plant": {"slope": 1}}], "has already"),
        ({"name": "g"}, [{"name": "c", "like": "g", "plant": {"size": "x"}}], "control c: size"),
    ],
)
def test_a_grid_that_cannot_be_meant_is_refused(group, controls, says):
    with pytest.raises(StudySpecError) as caught:
        points(profile(group, controls=controls), SCHEMA)
    assert says in caught.value.came


def test_overrides_hold_everywhere_and_collapse_their_axis():
    control = {"name": "larger", "like": "base", "plant": {"size": 5}}
    found = points(profile(GROUP, controls=[control]), SCHEMA, {"slope": 3})
    assert [p.parameters["slope"] for p in found] == [3.0] * 4
    assert [p.control for p in found] == ["", "", "larger", "larger"]


def test_a_control_whose_cause_is_overridden_is_left_out():
    control = {"name": "larger", "like": "base", "plant": {"size": 5}}
    assert not any(p.control for p in points(profile(GROUP, controls=[control]), SCHEMA, {"size": 7}))
    with pytest.raises(ParameterError):
        points(profile(GROUP), SCHEMA, {"size": 1.5})


def test_a_control_that_makes_several_points_one_is_refused():
    schema = parse_schema(["seed: int = 0\ngain: float = 1.0"], Path("notebook.py"))
    grid = [{"name": "base", "over": {"seed": [0, 1]}}]
    planted = {"name": "fixed", "like": "base", "plant": {"seed": 2}}
    profile = Profile.model_validate({"grid": grid, "controls": [planted]})
    with pytest.raises(StudySpecError, match=r"control fixed: .*makes one of several points"):
        points(profile, schema)
