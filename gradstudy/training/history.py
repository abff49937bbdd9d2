"""What is kept of a training: a row a member at intervals, and sums over the updates in between."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from gradstudy.training.arms import Member
from gradstudy.training.population import GATED, Population
from gradstudy.training.regularizers import column_norms
from gradstudy.training.trainer import Update

COLUMNS = (
    "place", "update", "length", "loss", "omega", "gradient_norm", "largest_gradient_norm", "clip_factor", "clipped",
    "spectral_radius",
)  # fmt: skip


def log_state_norms(state_gradient: Tensor) -> Tensor:
    """Log of the Euclidean norm of dL/dh_t over batch and units, `(T + 1, members)`; -inf where it is exactly 0."""
    return column_norms(state_gradient.flatten(2)[..., None])[..., 0].log()


def spectral_radii(population: Population) -> Tensor:
    """rho(W_hh) of each member; NaN for cells with gates and weights that are not finite."""
    radii = population.weights.new_full((len(population),), torch.nan)
    finite = population.weights.isfinite().all(1)
    if population.shape.cell not in GATED and finite.any():
        radii[finite] = torch.linalg.eigvals(population.weight_hh[finite]).abs().amax(1)
    return radii


class History:
    """Rows of all members, and what each has seen since its last row.

    Args:
        members: all of a campaign.
        lags: numbers of links from the end, at which |dL/dh| is kept.
        every: updates between two rows; 0 for none.

    Attributes:
        rows: so far, `(rows, columns)`.
        since: the last row: sum of losses, largest norm, number of updates clipped and of updates, `(4, members)`.
    """

    def __init__(self, members: Sequence[Member], lags: Sequence[int], every: int) -> None:
        self.members, self.lags, self.every = tuple(members), tuple(lags), every
        self.rows = np.empty((0, len(COLUMNS) + len(self.lags)))
        self.since = torch.zeros(4, len(self.members), dtype=torch.float64)

    def see(self, places: Tensor, seen: Update) -> None:
        """Take in an update of the members at these places among all."""
        if self.every:
            losses, largest, clipped, count = self.since
            losses[places] += seen.loss
            largest[places] = torch.fmax(largest[places], seen.norm.double())
            clipped[places] += (seen.factor < 1).double()
            count[places] += 1

    def write(self, places: Tensor, seen: Update, population: Population, update: int, which: Tensor) -> None:
        """Write rows.

        Args:
            places: of the members in training, among all.
            seen: what the last update saw of them.
            population: after it.
            update: its number, from 1.
            which: of the members in training, `(members in training,)` bool.
        """
        if not self.every or not which.any():
            return
        losses, largest, clipped, count = self.since[:, places]
        norms = log_state_norms(seen.found.unrolled.state_gradient)
        length, missing = len(norms) - 1, torch.full_like(norms[0], torch.nan)
        columns = [
            places, torch.full_like(places, update), torch.full_like(places, length), losses / count, seen.omega,
            seen.norm, largest, seen.factor, clipped / count, spectral_radii(population),
            *(norms[length - lag] if lag <= length else missing for lag in self.lags),
        ]  # fmt: skip
        rows = torch.stack([column.double() for column in columns], dim=1)[which].numpy()
        self.rows = np.concatenate([self.rows, rows])
        self.since[:, places[which]] = 0

    def to_frame(self) -> pd.DataFrame:
        """One row a member and interval; see `Outcome.history`."""
        names = [*COLUMNS, *(f"log_state_gradient_{lag}" for lag in self.lags)]
        table = pd.DataFrame(self.rows, columns=names).astype({"place": int, "update": int, "length": int})
        table = table.sort_values(["place", "update"], ignore_index=True)
        members = [self.members[place] for place in table.pop("place")]
        table.insert(0, "arm", [member.arm for member in members])
        table.insert(1, "member", [member.index for member in members])
        return table
