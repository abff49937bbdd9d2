"""Oracle: docs/architecture.md, `study.yaml`, clause by clause; for YAML the core schema of YAML 1.2."""

import pytest

from gradstudy.errors import StudySpecError, UnknownProfileError
from gradstudy.study import yaml12
from gradstudy.study.spec import read_spec

GOOD = """
title: When?
question: q
method: m
sources: [pascanu2013]
claims:
  P1: [search]
data: [nottingham]
profiles:
  quick:
    threads: 1
    timeout: 120
    grid:
      - name: search
        set: {size: 8, rate: 1e-3}
        over: {activation: [tanh, sigmoid]}
    controls:
      - name: gamma-too-small
        like: search
        plant: {slope: 1.01}
"""


@pytest.fixture
def write(tmp_path):
    def write(text):
        path = tmp_path / "study.yaml"
        path.write_text(text)
        return path

    return write


def test_the_documented_example_is_read(write):
    spec = read_spec(write(GOOD))
    quick = spec.profile("quick")
    assert quick.grid[0].set == {"size": 8, "rate": 0.001}
    assert quick.controls[0].plant == {"slope": 1.01}
    assert (quick.threads, quick.timeout) == (1, 120.0)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("title: When?", "titel: When?", "did you mean title?"),
        ("question: q\n", "", "question: this key is needed"),
        ("    threads: 1", "    thread: 1", "did you mean threads?"),
        ("    threads: 1", "    threads: true", "profiles.quick.threads"),
        ("    threads: 1", "    threads: 0", "profiles.quick.threads"),
        ("timeout: 120", "timeout: 0", "profiles.quick.timeout"),
        ("timeout: 120", "timeout: .inf", "profiles.quick.timeout"),
        ("timeout: 120", "memory: 255", "profiles.quick.memory"),
        ("timeout: 120", "memory: 1000.5", "profiles.quick.memory"),
        ("  quick:", "  fast:", "profiles.fast"),
        ("name: search", "name: Search me", "grid.0.name"),
        ("over: {activation: [tanh, sigmoid]}", "over: {activation: []}", "over.activation"),
        ("over: {activation: [tanh, sigmoid]}", "over: {size: [1]}", "size: a parameter stands in"),
        ("plant: {slope: 1.01}", "plant: {slope: 1.01, size: 2}", "controls.0.plant"),
        ("plant: {slope: 1.01}", "plant: {}", "controls.0.plant"),
        ("like: search", "like: serach", "which is no group"),
        ("name: gamma-too-small", "name: search", "a name of its own"),
        ("P1: [search]", "P1: [serach]", "a group of no profile"),
        ("question: q", "question: q\nquestion: r", "twice"),
        ("sources: [pascanu2013]", "sources: &s [pascanu2013]\ndata: *s", "anchors and aliases"),
        ("sources: [pascanu2013]", "sources: !!python/object/apply:os.getcwd []", "could not determine a constructor"),
        ("sources: [pascanu2013]", "1: [pascanu2013]", "not text"),
        ("title: When?", "title: [", "line"),
    ],
)
def test_what_does_not_fit_is_named_with_file_and_key(write, old, new, says):
    assert old in GOOD
    path = write(GOOD.replace(old, new))
    with pytest.raises(StudySpecError) as caught:
        read_spec(path)
    assert says in caught.value.came
    assert str(path) in caught.value.came


@pytest.mark.parametrize(
    ("old", "new", "needed", "why"),
    [
        ("title: When?", "titel: When?", "one of: title, question, method, sources", "change nothing"),
        ("    threads: 1", "    thread: 1", "one of: threads, timeout, memory, data, grid, controls", "change nothing"),
        ("set: {size: 8", "sett: {size: 8", "one of: name, set, over", "change nothing"),
        ("question: q\n", "", "question", "nothing else says"),
        ("timeout: 120", "timeout: 0", "profiles.quick.timeout: Input should be greater than 0", "so many seconds"),
        ("timeout: 120", "timeout: soon", "a valid number", "so many seconds"),
        ("    threads: 1", "    threads: true", "a valid integer", "part of the run's identity"),
        ("like: search", "like: serach", "`like` one of: search", "one cause planted"),
        ("P1: [search]", "P1: [serach]", "groups out of: search", "undecided"),
        ("  quick:", "  fast:", "'quick', 'standard' or 'paper'", "--profile"),
        ("title: When?", "title: [", "YAML 1.2", "cannot be read"),
        ("title: When?", "title: 3", "a valid string", "of another kind"),
    ],
)
def test_what_is_needed_and_why_fit_the_mistake(write, old, new, needed, why):
    assert old in GOOD
    with pytest.raises(StudySpecError) as caught:
        read_spec(write(GOOD.replace(old, new)))
    assert needed in caught.value.needed
    assert why in caught.value.why


def test_a_missing_file_and_a_missing_profile_are_named(write, tmp_path):
    with pytest.raises(StudySpecError, match="absent"):
        read_spec(tmp_path / "absent.yaml")
    with pytest.raises(UnknownProfileError, match="one of: quick"):
        read_spec(write(GOOD)).profile("paper")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 1e-3), ("1E5", 1e5), (".5", 0.5), ("1.", 1.0), ("-3", -3), ("010", 10), ("no", "no"), ("on", "on"),
        ("1:30", "1:30"), ("2020-01-01", "2020-01-01"), ("true", True), ("~", None), ("0x1F", "0x1F"),
        ("1_000", "1_000"),
    ],
)  # fmt: skip
def test_scalars_are_those_of_yaml_1_2(text, value):
    found = yaml12.load(text)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize("text", ["a: &x 1\nb: *x", "[" * 5000, "a: 1\na: 2", "? [1]\n: 2", "\t- a", "a: 1\n---\nb: 2"])
def test_what_is_no_plain_document_is_a_value_error(text):
    with pytest.raises(ValueError, match=r"."):
        yaml12.load(text)
