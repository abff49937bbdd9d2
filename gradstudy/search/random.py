"""Random search: subjects drawn from a family of networks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch

from gradstudy.measure.subject import Subject
from gradstudy.models.networks import Family, Network, draw_network
from gradstudy.models.randomness import generator

Inputs = Literal["gaussian", "none"]
_PURPOSE = "random search"


@dataclass(frozen=True)
class Drive:
    """What the networks are driven with.

    Args:
        length: links T.
        rows: independent input sequences and starts a network.
        inputs: standard normal, or none (zeros).
        start: standard deviation of the entries of s_0.
    """

    length: int
    rows: int = 1
    inputs: Inputs = "gaussian"
    start: float = 0.0


def random_subjects(
    family: Family, count: int, drive: Drive, *, seed: int, pre_activation: bool = False
) -> list[Subject]:
    """Independently drawn networks, each with its own inputs, starts and directions dE_T/ds_T.

    Network i has a generator of its own: more networks leave the first ones as they are.
    """
    return [_subject(family, drive, generator(seed, i, _PURPOSE), pre_activation) for i in range(count)]


def random_networks(family: Family, count: int, *, seed: int) -> list[Network]:
    """The networks of `random_subjects`, without inputs."""
    return [draw_network(family, generator(seed, i, _PURPOSE)) for i in range(count)]


def _subject(family: Family, drive: Drive, stream: torch.Generator, pre_activation: bool) -> Subject:
    network = draw_network(family, stream, pre_activation=pre_activation)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=stream, dtype=torch.float64)

    inputs = normal(drive.length, drive.rows, family.input_size)
    inputs = inputs if drive.inputs == "gaussian" else torch.zeros_like(inputs)
    cotangent = torch.nn.functional.normalize(normal(drive.rows, family.size), dim=1)
    start = network.start + drive.start * normal(drive.rows, family.size)
    return Subject(network, inputs, start, cotangent)
