"""Links of a chain over depth: the pieces of the recorded autograd graph between one state and the next."""

from __future__ import annotations

import itertools
import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor
from torch.autograd.graph import GradientEdge

from gradstudy.chains.checks import unsupported
from gradstudy.errors import LossError, TooLargeError, WeightsChangedError

# Numbers of the states of the vectors that go through a stage together.
_TOGETHER = 2**22
# Powers of two that rows are told apart by, about 1.
_FACTORS = 64
# Dense Jacobians that are still formed, counted in float64.
_MOST_GB = 4


@dataclass(frozen=True, eq=False)
class State:
    """A state of a chain over depth.

    Args:
        name: of the stage it comes out of.
        value: a copy, detached, in the stage's own layout.
        edge: where the state stands in the graph; it outlives later in-place changes of the tensor.
    """

    name: str
    value: Tensor
    edge: GradientEdge


@dataclass(frozen=True, eq=False)
class Stage:
    """The piece of the graph from one state to the next."""

    before: State
    after: State

    def pull(self, u: Tensor, batched: bool = False) -> Tensor:
        """J^T u, in the layouts of the states; with `batched`, of one u after another along the first axis."""
        return self._differentiate((self.after.edge,), self.before.edge, u, batched, self.before.value)

    def push(self, v: Tensor, batched: bool = False) -> Tensor:
        """J v: the derivative of u -> J^T u, which is linear."""
        dummy, pulled = self._pulled
        if pulled is None:
            shape = self.after.value.shape
            return v.new_zeros((len(v), *shape) if batched else shape)
        with self._twice():
            return self._differentiate((pulled,), dummy, v, batched, self.after.value)

    @cached_property
    def _pulled(self) -> tuple[Tensor, Tensor | None]:
        """u and J^T u as a function of it; None if no path leads through the stage."""
        dummy = torch.zeros_like(self.after.value, requires_grad=True)
        with self._named(), self._twice(), torch.enable_grad():
            (pulled,) = torch.autograd.grad(
                (self.after.edge,), (self.before.edge,), (dummy,), create_graph=True, allow_unused=True
            )
        if pulled is None:
            return dummy, None
        again = self._again(dummy, pulled)
        return dummy, pulled if again else None

    def _again(self, dummy: Tensor, pulled: Tensor) -> bool:
        """Whether J^T u depends on u as far as torch knows, which must be as far as it does.

        A backward pass written by hand may compute on what carries no gradient; its share of J would then read zero.
        With w = J^T u of a random u, u^T (J w) must be |w|^2.
        """
        u = _random_like(dummy, torch.Generator().manual_seed(0))
        w = self.pull(u)
        peak = w.abs().max()
        if peak == 0:
            return pulled.requires_grad
        w, pushed = w / peak, torch.zeros_like(u)
        if pulled.requires_grad:
            with self._named(), self._twice():
                pushed = self._differentiate((pulled,), dummy, w, False, dummy)
        there, back = ((pushed / peak).double() * u).sum(), w.double().square().sum()
        eps = torch.finfo(u.dtype).eps
        rounding = 100 * eps * (pushed / peak).double().norm() * u.double().norm()
        if (there - back).abs() > torch.maximum(10 * eps**0.5 * back, rounding):
            raise unsupported(
                f"Jacobian-vector products of stage {self.after.name!r}, in which a backward pass cannot be "
                "differentiated",
                "operations with a second derivative in torch, and gradients that no hook changes",
                "gradient_norms and vjp do not need it; for the rest write custom functions' backward with torch "
                "operations on what was saved, without detach() and once_differentiable",
            )
        return pulled.requires_grad

    def _differentiate(
        self,
        outputs: tuple[Tensor | GradientEdge],
        source: Tensor | GradientEdge,
        vectors: Tensor,
        batched: bool,
        like: Tensor,
    ) -> Tensor:
        def once(vector: Tensor) -> Tensor:
            (found,) = torch.autograd.grad(
                outputs,  # type: ignore[arg-type]
                (source,),  # type: ignore[arg-type]
                (vector,),
                retain_graph=True,
                allow_unused=True,
            )
            return torch.zeros_like(like) if found is None else found

        with self._named():
            if not batched:
                return once(vectors)
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", "There is a performance drop")
                try:
                    return torch.func.vmap(once)(vectors)
                except RuntimeError:  # an operation that cannot be batched: one vector after another says what is wrong
                    return torch.stack([once(vector) for vector in vectors])

    @contextmanager
    def _named(self) -> Iterator[None]:
        """Torch's own errors about a graph that is gone, as ours."""
        try:
            yield
        except RuntimeError as error:
            if "a second time" in str(error):
                raise LossError(
                    f"a graph through stage {self.after.name!r} that backward() has freed",
                    needed="the graph of the chain's own forward pass",
                    why="links of a chain over depth are pieces of that graph",
                    remedy="measure before loss.backward(), or call loss.backward(retain_graph=True)",
                ) from error
            if "use_reentrant=True" in str(error):
                raise unsupported(
                    f"gradient checkpointing in stage {self.after.name!r}",
                    "a model that keeps its graph",
                    "switch checkpointing off for the measurement",
                ) from error
            if "modified by an inplace operation" in str(error):
                raise WeightsChangedError(
                    f"stage {self.after.name!r} whose weights or activations were changed after the chain was made",
                    needed="the network as it was",
                    why="the states would belong to one network and the Jacobians to another",
                    remedy="measure before optimizer.step(), or call depth_chain again",
                ) from error
            raise

    @contextmanager
    def _twice(self) -> Iterator[None]:
        try:
            yield
        except (RuntimeError, NotImplementedError) as error:
            if "not implemented" not in str(error) and "double backward" not in str(error):
                raise
            raise unsupported(
                f"Jacobian-vector products of stage {self.after.name!r}: {str(error).splitlines()[0]}",
                "operations with a second derivative in torch",
                "gradient_norms and vjp do not need it; for the rest replace the fused operation by elementary ones",
            ) from error


@dataclass(frozen=True, eq=False)
class StageLinks:
    """The links s_{t-1} -> s_t of a chain over depth.

    What is differentiated is the graph that one forward pass of the model left behind, with its dropout masks, batch
    statistics and in-place operations. Vectors are flat, `(rows, n)`, blocks `(rows, n, k)`.

    Args:
        states: T + 1 of them.
        rows: rows that do not depend on each other: the batch, or 1 for everything together.
        dtype: dtype of what the products return.
    """

    states: tuple[State, ...]
    rows: int
    dtype: torch.dtype

    @property
    def length(self) -> int:
        """Number of links T."""
        return len(self.stages)

    @cached_property
    def stages(self) -> tuple[Stage, ...]:
        """The T stages."""
        return tuple(Stage(before, after) for before, after in zip(self.states, self.states[1:], strict=False))

    @property
    def sizes(self) -> tuple[int, ...]:
        """Components n_t of a row of each state."""
        return tuple(state.value.numel() // self.rows for state in self.states)

    def jvp(self, t: int, v: Tensor) -> Tensor:
        """J_t v for each row: the derivative of the vector-Jacobian product, which is linear."""
        stage = self.stages[t - 1]
        return self._apply(stage.push, stage.before, v)

    def vjp(self, t: int, u: Tensor) -> Tensor:
        """J_t^T u for each row, by one backward pass through the stage."""
        stage = self.stages[t - 1]
        return self._apply(stage.pull, stage.after, u)

    def vjp_double(self, t: int, u: Tensor) -> Tensor:
        """J_t^T u, rounded as the stage rounds it."""
        return self.vjp(t, u).double()

    def jacobian(self, t: int) -> Tensor:
        """Dense J_t, `(rows, n_out, n_in)`, from as many products as the smaller side has components."""
        columns, lines = self.sizes[t - 1], self.sizes[t]
        refuse_large_product(self, t - 1, t)
        stage = self.stages[t - 1]
        if lines <= columns:
            return self._apply(stage.pull, stage.after, self._identity(lines)).mT
        return self._apply(stage.push, stage.before, self._identity(columns))

    def jacobians(self, start: int, stop: int) -> Tensor:
        """Dense Jacobians of the links start + 1 .. stop, `(stop - start, rows, n_out, n_in)`, all of one shape."""
        return torch.stack([self.jacobian(t) for t in range(start + 1, stop + 1)])

    def accumulate(self, start: int, totals: Tensor) -> None:
        """totals[i - 1] += J_{start + i}^T totals[i], one link after another; states of one size only."""
        for i in range(len(totals) - 1, 0, -1):
            totals[i - 1] += self.vjp(start + i, totals[i])

    def double(self) -> StageLinks:
        """The same links; each product is rounded as the stage rounds it and returned in float64."""
        return replace(self, dtype=torch.float64)

    def coupled(self) -> tuple[str, ...]:
        """Names of the stages in which a row's output depends on other rows' inputs, as BatchNorm's in train mode.

        Where rows are scaled, each by itself, and come back through a stage scaled just so, they do not mix: two
        backward passes tell, three for more than 64 rows. Otherwise a random vector that is zero outside some rows
        decides: exact zeros stay in the others unless the stage mixes rows. Some log2(batch) sets of rows are enough to
        try every row against every other.
        """
        generator = torch.Generator().manual_seed(0)
        inside = _separating(len(self.states[0].value))
        return tuple(stage.after.name for stage in self.stages if _mixes(stage, inside, generator))

    def _apply(self, product: Callable[[Tensor, bool], Tensor], state: State, vectors: Tensor) -> Tensor:
        """A product with one vector a row, or with a block of them in pieces that fit into memory."""
        value = state.value
        if vectors.dim() == 2:
            return product(vectors.to(value.dtype).reshape(value.shape), False).reshape(self.rows, -1).to(self.dtype)
        largest = max(one.value.numel() for one in self.states)
        pieces = vectors.to(value.dtype).movedim(-1, 0).split(max(1, _TOGETHER // largest))
        found = [product(piece.reshape(-1, *value.shape), True).reshape(len(piece), self.rows, -1) for piece in pieces]
        return torch.cat(found).movedim(0, -1).to(self.dtype)

    def _identity(self, size: int) -> Tensor:
        value = self.states[0].value
        return torch.eye(size, dtype=value.dtype, device=value.device).expand(self.rows, size, size)


def refuse_large_product(links: StageLinks, start: int, stop: int) -> None:
    """Raise TooLargeError unless the dense Jacobians of the links start + 1 .. stop fit into memory together."""
    numbers = links.rows * sum(links.sizes[t - 1] * links.sizes[t] for t in range(start + 1, stop + 1))
    needed = 8 * numbers / 2**30
    if needed > _MOST_GB:
        raise TooLargeError(
            f"dense Jacobians between states of {links.rows} x {links.sizes[start : stop + 1]} numbers",
            needed=f"at most {_MOST_GB} GB; they would take {needed:.1f} GB",
            why="the machine would swap, or the process be killed",
            remedy="ask for the k largest values (k=), which need no dense Jacobian, or for fewer rows",
        )


def _mixes(stage: Stage, inside: Tensor, generator: torch.Generator) -> bool:
    u = _random_like(stage.after.value, generator)
    if _scales_by_rows(stage, u):
        return False
    for rows in inside.to(u.device):
        pulled = stage.pull(torch.where(_along_rows(rows, u), u, 0.0))
        if bool(pulled[~rows].any()):
            return True
    return False


def _scales_by_rows(stage: Stage, u: Tensor) -> bool:
    """Whether each row of J^T u is multiplied, bit for bit, by the factor that its own row of u is multiplied by.

    The factors are powers of two, which round nothing, and for any two rows they differ in one of the trials: what came
    from another row would not fit, unless it is lost in rounding beside the row's own. No proves nothing: another order
    of summation would do.
    """
    pulled, digit = stage.pull(u), 1
    while True:
        exponents = [row // digit % _FACTORS - _FACTORS // 2 for row in range(len(u))]
        factors = torch.tensor([2.0**exponent for exponent in exponents], dtype=u.dtype, device=u.device)
        if not torch.equal(stage.pull(_along_rows(factors, u) * u), _along_rows(factors, pulled) * pulled):
            return False
        digit *= _FACTORS
        if digit >= len(u):
            return True


def _along_rows(one_each: Tensor, like: Tensor) -> Tensor:
    return one_each.reshape(-1, *[1] * (like.dim() - 1))


def _separating(rows: int) -> Tensor:
    """Sets of rows, `(sets, rows)`, such that for any two rows one of them holds the first and not the second.

    Each row is in just half of the sets, in a choice of its own (Sperner).
    """
    sets = next(count for count in itertools.count(1) if math.comb(count, count // 2) >= rows)
    inside = torch.zeros(sets, rows, dtype=torch.bool)
    for row, chosen in enumerate(itertools.islice(itertools.combinations(range(sets), sets // 2), rows)):
        inside[list(chosen), row] = True
    return inside


def _random_like(value: Tensor, generator: torch.Generator) -> Tensor:
    return torch.randn(value.shape, generator=generator, dtype=torch.float64).to(value)


def aligned(states: Sequence[State]) -> bool:
    """Whether the first axis of every state can be the batch."""
    return all(state.value.dim() > 1 and len(state.value) == len(states[0].value) for state in states)
