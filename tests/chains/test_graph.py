"""Cut points and direct paths of the recorded graph, against removing one node after another from the same graph."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.autograd.graph import get_gradient_edge

from gradstudy.chains.graph import Place, cut_points, directly_reached, place


def random_graph(seed: int) -> list[Tensor]:
    """Values of which each is a sum of one to three earlier ones, as often as it likes."""
    generator = torch.Generator().manual_seed(seed)
    values = [torch.ones(2, requires_grad=True).clone()]
    for _ in range(14):
        count = int(torch.randint(1, 4, (), generator=generator))
        picks = (len(values) - 1 - torch.randint(0, min(3, len(values)), (count,), generator=generator)).tolist()
        values.append(sum((values[i] for i in picks), torch.zeros(2)) * 1.5)
    return values


def reaches(start: Place, end: Place, without: Place) -> bool:
    """Whether a path leads from start to end that avoids one place, by looking at all of them."""
    waiting, seen = [start], set()
    while waiting:
        here = waiting.pop()
        if here == without or here in seen:
            continue
        if here == end:
            return True
        seen.add(here)
        waiting += [(node, output) for node, output in here[0].next_functions if node is not None]
    return False


@pytest.mark.parametrize("seed", range(30))
def test_cut_points_against_removing_each_place(seed: int) -> None:
    edges = [get_gradient_edge(value) for value in random_graph(seed)]
    places = [place(edge) for edge in edges[1:-1]]
    found = cut_points([edges[-1]], edges[0], places)
    assert found == [not reaches(place(edges[-1]), place(edges[0]), without) for without in places]
    assert cut_points([edges[-1]], edges[0], [place(edges[0]), place(edges[-1])]) == [True, True]


def test_cut_points_of_several_outputs() -> None:
    source = torch.ones(2, requires_grad=True).clone()
    trunk = source * 2
    left, right = trunk * 3, trunk.exp()
    edges = [get_gradient_edge(value) for value in (trunk, left, right)]
    assert cut_points(edges[1:], get_gradient_edge(source), [place(edge) for edge in edges]) == [True, False, False]
    assert cut_points([edges[1]], get_gradient_edge(right), [place(edges[0])]) == [False]  # nothing leads there


def test_outputs_of_one_node_are_places_of_their_own() -> None:
    source = torch.ones(4, requires_grad=True).clone()
    left, right = (source * 2).chunk(2)
    places = {place(get_gradient_edge(value)): i for i, value in enumerate((left, right))}
    assert directly_reached(get_gradient_edge(left * 2), places, inclusive=True) == {0}
    assert directly_reached(get_gradient_edge(left * right), places, inclusive=True) == {0, 1}


def test_direct_paths_end_at_the_first_state() -> None:
    a = torch.ones(2, requires_grad=True).clone()
    b = a * 2
    c = b * 3
    places = {place(get_gradient_edge(value)): i for i, value in enumerate((a, b, c))}
    assert directly_reached(get_gradient_edge(c), places, inclusive=True) == {2}
    assert directly_reached(get_gradient_edge(c), places, inclusive=False) == {1}
    assert directly_reached(get_gradient_edge(c + a), places, inclusive=True) == {0, 2}
