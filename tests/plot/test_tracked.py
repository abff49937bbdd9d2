"""Oracles: medians and meshes by hand; what cannot be drawn on a logarithmic axis is named."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import QuadMesh
from matplotlib.figure import Figure

from gradstudy.errors import OptionError
from gradstudy.plot import labels, tracked


def frame(quantity, values, index=None):
    """Rows from {name: [log10 at each step]}."""
    rows = [
        {"step": step, "quantity": quantity, "name": name, "index": index, "log10_value": value}
        for name, row in values.items()
        for step, value in enumerate(row)
    ]
    return pd.DataFrame(rows).sort_values("step", kind="stable")


def test_the_flow_shows_the_median_of_each_layer_in_the_models_order():
    table = frame("layer_gradient", {"z": [0.0, -1.0, -5.0], "a": [1.0, 2.0, 3.0], "m": [-np.inf, -1.0, np.nan]})
    ax = tracked.plot(table, "flow", Figure().subplots())
    median, zero, wrong = ax.get_lines()
    assert list(median.get_xdata()) == [-1.0, 2.0, -1.0]
    assert [text.get_text() for text in ax.get_yticklabels()] == ["z", "a", "m"]
    assert list(zero.get_ydata()) == list(wrong.get_ydata()) == [2]
    both = pd.concat([table[:6], frame("affine_gradient", {"n": [5.0], "o": [7.0]}), table[6:]])
    _, vectors, *_ = tracked.plot(both, "flow", Figure().subplots()).get_lines()
    assert list(vectors.get_xdata()) == [5.0, 7.0]
    assert list(vectors.get_ydata()) == pytest.approx([2 + 1 / 3, 2 + 2 / 3])
    assert ax.get_ylim()[0] > ax.get_ylim()[1]  # the first layer is at the top
    assert {text.get_text() for text in ax.get_legend().get_texts()} >= {"median", "exactly 0", "not finite"}


@pytest.mark.parametrize("kind", ["layers", "activations"])
def test_the_heat_map_holds_every_layer_at_every_step(kind):
    (quantity,) = tracked.KINDS[kind][0]
    table = frame(quantity, {"z": [0.0, -1.0], "a": [1.0, -np.inf]})
    ax = tracked.plot(table, kind, Figure().subplots())
    mesh = [found for found in ax.collections if isinstance(found, QuadMesh)][-1]
    assert mesh.get_array().filled(9.0).tolist() == [[0.0, -1.0], [1.0, 9.0]]
    assert ax.get_title() == "grey: exactly 0"


def test_time_over_steps():
    table = pd.concat([frame("hidden_gradient", {"rnn": [t / 2, t / 4]}, index=t) for t in range(4)])
    ax = tracked.plot(table, "time", Figure().subplots())
    mesh = [found for found in ax.collections if isinstance(found, QuadMesh)][-1]
    assert np.asarray(mesh.get_array()).tolist() == [[0.0, 0.0], [0.5, 0.25], [1.0, 0.5], [1.5, 0.75]]
    assert ax.get_ylabel() == "timestep $t$ of rnn"


def test_spectra_of_the_first_and_last_step():
    table = pd.concat([frame("singular_value", {"w": [float(-i), 0.0]}, index=i) for i in range(5)])
    ax = tracked.plot(table, "spectrum", Figure().subplots())
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["step 0", "step 1"]
    zeros = pd.concat([table, frame("singular_value", {"w": [-np.inf]}, index=5)])
    assert "1 value(s) exactly 0" in tracked.plot(zeros, "spectrum", Figure().subplots()).get_title()


def test_what_is_not_there_is_named():
    table = frame("layer_gradient", {"a": [0.0]})
    for kind, name in (("time", None), ("flow", "b"), ("pie", None)):
        with pytest.raises(OptionError, match=r"pie|hidden_gradient|'b'"):
            tracked.plot(table, kind, Figure().subplots(), name)


def test_long_names_are_cut_so_that_layers_stay_apart():
    names = [
        f"bert.encoder.layer.{i}.{n}" for i in range(12) for n in ("attention.self.query", "attention.output.dense")
    ]
    shortened = [labels.shorten(name) for name in names]
    assert len(set(shortened)) == len(names)
    assert shortened[-2:] == ["b.e.l.11.a.self.query", "b.e.l.11.a.o.dense"]
    assert labels.shorten("head") == "head"
    assert len(labels.shorten("x" * 100)) == labels.LONGEST


def test_a_single_weight_keeps_the_name_of_its_layer():
    name = "bert.embeddings.word_embeddings.weight"
    spectrum = pd.DataFrame({"step": 0, "quantity": "singular_value", "name": name, "log10_value": [0.0, 1.0]})
    ax = tracked.plot(spectrum, "spectrum", Figure().subplots(), name=name)
    assert ax.get_xlabel().endswith("b.embeddings.word_embeddings.weight")
