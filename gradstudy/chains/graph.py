"""The recorded autograd graph: which states a value depends on directly, and where the graph can be cut in two."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from torch.autograd.graph import GradientEdge, Node

# A node and which of its outputs; nodes compare by identity, and live as long as the edge that is kept.
Place = tuple[Node, int]

# Sums over paths are taken modulo this prime, each edge of the graph with a weight of its own, so that two different
# sums agree by chance about once in 1e18.
_PRIME = 2**61 - 1
_MULTIPLIER = 6364136223846793005


def place(edge: GradientEdge) -> Place:
    """The edge as a key."""
    return edge.node, edge.output_nr


def directly_reached(start: GradientEdge, states: Mapping[Place, int], *, inclusive: bool) -> set[int]:
    """The states from which a path leads to the start that meets no other state.

    Args:
        start: of the value in question.
        states: indices of the states by place.
        inclusive: whether the start itself may be one of them.
    """
    found, seen = set[int](), set[Node]()
    waiting = [place(start)] if inclusive else _parents(start.node)
    while waiting:
        here = waiting.pop()
        if here in states:
            found.add(states[here])
        elif here[0] not in seen:
            seen.add(here[0])
            waiting += _parents(here[0])
    return found


def cut_points(outputs: Iterable[GradientEdge], source: GradientEdge, places: Sequence[Place]) -> list[bool]:
    """For each place, whether every path from the source to the outputs leads through it.

    Paths are counted with random weights: from the outputs down to a place, times from there down to the source, is the
    sum over all paths exactly if none of them misses the place.
    """
    roots = [place(edge) for edge in outputs]
    order = _topological(root[0] for root in roots)
    above: dict[Place, int] = {}
    for root in roots:
        above[root] = above.get(root, 0) + 1
    per_node: dict[Node, int] = {}
    for key, weight in above.items():
        per_node[key[0]] = (per_node.get(key[0], 0) + weight) % _PRIME
    index = {node: i for i, node in enumerate(order)}
    end = place(source)
    for node in order:  # every path that comes in by any output of the node goes on to each of its parents
        arriving = per_node.get(node, 0)
        if node is end[0]:
            continue
        for parent in _parents(node):
            weight = arriving * _weight(index[node], index[parent[0]], parent[1]) % _PRIME
            above[parent] = (above.get(parent, 0) + weight) % _PRIME
            per_node[parent[0]] = (per_node.get(parent[0], 0) + weight) % _PRIME
    below = _below(order, index, end)
    total = above.get(end, 0)
    return [total != 0 and above.get(key, 0) * _from(key, end, below) % _PRIME == total for key in places]


def _from(key: Place, end: Place, below: dict[Node, int]) -> int:
    return 1 if key == end else 0 if key[0] is end[0] else below.get(key[0], 0)


def _below(order: list[Node], index: dict[Node, int], end: Place) -> dict[Node, int]:
    """Sum over the paths from each node down to the source."""
    below: dict[Node, int] = {}
    for node in reversed(order):
        if node is not end[0]:
            below[node] = (
                sum(_weight(index[node], index[p[0]], p[1]) * _from(p, end, below) for p in _parents(node)) % _PRIME
            )
    return below


def _weight(child: int, parent: int, output: int) -> int:
    """A fixed pseudo-random weight of the edge."""
    mixed = ((child + 1) * _MULTIPLIER + (parent + 1)) * _MULTIPLIER + output + 1
    return (mixed ^ (mixed >> 29)) * _MULTIPLIER % _PRIME


def _parents(node: Node) -> list[Place]:
    """What the node's value was computed from."""
    return [(parent, output) for parent, output in node.next_functions if parent is not None]


def _topological(roots: Iterable[Node]) -> list[Node]:
    """Every node after all that were computed from it."""
    order, done = list[Node](), set[Node]()
    waiting = [(root, False) for root in roots]
    while waiting:
        node, expanded = waiting.pop()
        if expanded:
            order.append(node)
        elif node not in done:
            done.add(node)
            waiting.append((node, True))
            waiting += [(parent, False) for parent, _ in _parents(node) if parent not in done]
    return order[::-1]
