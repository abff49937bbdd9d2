"""Networks of one design before and after training, and the networks that are planted in their place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch

from gradstudy.measure.error_decay import rate
from gradstudy.measure.through_time import Stages
from gradstudy.models.networks import Network, linear_network
from gradstudy.models.randomness import generator
from gradstudy.models.recurrent import Design, Scheme, draw_recurrent
from gradstudy.tasks.task import Task
from gradstudy.training.supervised import Exam, Schedule, trained_subjects


@dataclass(frozen=True)
class Plan:
    """What the networks of a study have in common.

    Args:
        training: the task on its training split.
        exam: the task on its test split, rows and starts.
        schedule: of the training; with 0 updates there is no stage "after".
        networks: how many.
        seed: of draws, sequences and starts.
    """

    training: Task
    exam: Exam
    schedule: Schedule
    networks: int
    seed: int

    @property
    def updates(self) -> dict[str, int]:
        """Updates that each stage has behind it."""
        return {"before": 0} | ({"after": self.schedule.updates} if self.schedule.updates else {})


def stages(design: Design, plan: Plan) -> Stages:
    """Independently drawn networks of a design before and after training, on the same test sequences.

    Network i has generators of its own, so that more networks, or others beside them, leave it as it is.
    """
    return {
        stage: trained_subjects(
            [_draw(design, plan, i) for i in range(plan.networks)],
            plan.training,
            plan.exam,
            replace(plan.schedule, updates=updates),
            seed=plan.seed,
        )
        for stage, updates in plan.updates.items()
    }


def vanilla_stages(initialisations: Sequence[Scheme], size: int, plan: Plan) -> dict[str, Stages]:
    """Vanilla RNNs by initialisation, on the same sequences as the networks of `stages`."""
    designs = {name: Design("rnn", name, size, plan.training.input_size) for name in initialisations}
    return {name: stages(design, plan) for name, design in designs.items()}


def planted_rate(rate: float, size: int, plan: Plan) -> Stages:
    """Linear networks of a known rate in place of the drawn ones, untrained at every stage."""
    return _planted({stage: [rate] * plan.networks for stage in plan.updates}, size, plan)


def planted_lead(lead: float, reference: Stages, plan: Plan) -> Stages:
    """Linear networks whose rate is the reference's at that stage plus `lead`, nats per link."""
    rates = {stage: [lead + rate(subject) for subject in subjects] for stage, subjects in reference.items()}
    return _planted(rates, reference["before"][0].cotangent.shape[1], plan)


def _planted(rates: Mapping[str, Sequence[float]], size: int, plan: Plan) -> Stages:
    return {
        stage: trained_subjects(
            [linear_network(r, size, plan.training.input_size, _stream(plan, i, "planted")) for i, r in enumerate(at)],
            plan.training,
            plan.exam,
            replace(plan.schedule, updates=0),
            seed=plan.seed,
        )
        for stage, at in rates.items()
    }


def _draw(design: Design, plan: Plan, index: int) -> Network:
    return draw_recurrent(design, _stream(plan, index, f"{design.architecture} network"))


def _stream(plan: Plan, index: int, purpose: str) -> torch.Generator:
    return generator(plan.seed, index, purpose)
