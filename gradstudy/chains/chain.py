"""Chain: states, links and the output a loss is computed from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from gradstudy.chains.adjoint import Scaled
from gradstudy.chains.checks import check_index, check_partials, check_vectors, refuse_context, unsupported
from gradstudy.chains.links import Links
from gradstudy.chains.stage_links import StageLinks
from gradstudy.errors import LossError, NonFiniteError

Loss = Tensor | Callable[[Tensor], Tensor]


@dataclass(frozen=True, eq=False)
class Chain:
    """A network as a chain of maps s_0 -> s_1 -> ... -> s_T, over time or over depth.

    Args:
        output: what the module returns as output, in its own layout; requires grad, so that a loss can be computed
            from it.
        states: s_0 .. s_T, detached: over time `(T + 1, batch, n)`, over depth a tuple of T + 1 tensors, each in its
            stage's own layout.
        links: the T maps' derivatives.
        names: T + 1 names of the states.
        method: how the links are differentiated.
        partials: maps a loss to its direct partials with respect to the states.
        weight: gives the module's own recurrent matrix as it now is, for what must carry a gradient to it; None for a
            callable cell.

    Example:
        >>> import torch, gradstudy as gs
        >>> chain = gs.time_chain(torch.nn.RNN(3, 4), torch.randn(10, 2, 3))
        >>> chain.length, tuple(chain.states.shape), tuple(chain.jacobian(1).shape)
        (10, (11, 2, 4), (2, 4, 4))
    """

    output: Any
    states: Float[Tensor, "states batch n"] | tuple[Tensor, ...]
    links: Links
    names: tuple[str, ...]
    method: str
    partials: Callable[[Tensor], Scaled | tuple[Scaled, ...]] = field(repr=False)
    weight: Callable[[], Tensor] | None = field(default=None, repr=False)

    def __repr__(self) -> str:
        sizes = sorted(set(self.sizes))
        size = str(sizes[0]) if len(sizes) == 1 else f"{sizes[0]}..{sizes[-1]}"
        return f"Chain(T={self.length}, batch={self.rows}, n={size}, {self.dtype}, {self.method})"

    @property
    def length(self) -> int:
        """Number of links T."""
        return self.links.length

    @property
    def dtype(self) -> torch.dtype:
        """Dtype of states and links."""
        return self.states[0].dtype

    @property
    def device(self) -> torch.device:
        """Device of states and links."""
        return self.states[0].device

    @property
    def rows(self) -> int:
        """Rows that the links keep apart: the batch, or 1 if the batch is coupled."""
        return self.links.rows if isinstance(self.links, StageLinks) else len(self.states[0])

    @property
    def sizes(self) -> tuple[int, ...]:
        """Components n_t of one row of each state, T + 1 numbers."""
        if isinstance(self.links, StageLinks):
            return self.links.sizes
        return (self.states[0].shape[1],) * len(self.states)

    def square_size(self) -> int:
        """n of a chain whose states are all of one size.

        Raises:
            UnsupportedModuleError: they are not.
        """
        if len(set(self.sizes)) > 1:
            raise unsupported(
                f"states of different sizes, {listed_sizes(self)}",
                "states of one size, that is square links",
                "name stages between equal shapes (depth_chain(..., stages=[...])), or use product_spectrum and "
                "jacobian_spectra, which take any links",
            )
        return self.sizes[0]

    def jvp(self, t: int, v: Tensor) -> Tensor:
        """J_t v, J_t = d s_t / d s_{t-1}.

        Args:
            t: 1 .. T.
            v: `(batch, n_in)`, or a block of k vectors `(batch, n_in, k)`; over depth also in the state's own layout.

        Returns:
            `(batch, n_out)` or `(batch, n_out, k)`; for v in the layout of s_{t-1}, in that of s_t.

        Raises:
            LinkRangeError: t is not a link of the chain.
            InputShapeError, DTypeError, NonFiniteError: v is not of that shape or dtype, or not finite.
        """
        self._check(t)
        return self._product("v", v, t - 1, t, self.links.jvp)

    def vjp(self, t: int, u: Tensor) -> Tensor:
        """J_t^T u, J_t = d s_t / d s_{t-1}; shapes and errors as for `jvp`."""
        self._check(t)
        return self._product("u", u, t, t - 1, self.links.vjp)

    def jacobian(self, t: int) -> Float[Tensor, "batch n_out n_in"]:
        """Dense J_t = d s_t / d s_{t-1} for each row of the batch, t = 1 .. T."""
        self._check(t)
        return self.links.jacobians(t - 1, t)[0]

    def direct_partials(self, loss: Loss) -> Scaled:
        """Partials of the loss with respect to each state with all later states held; of a chain over time.

        Args:
            loss: a scalar computed from `output`, or a callable of it.

        Raises:
            LossError: the loss is not a scalar, is not differentiable, does not depend on the chain, or its graph is
                gone.
            NonFiniteError: the loss, or one of its partials, is NaN or infinite.
        """
        partials = self._partials(loss)
        assert isinstance(partials, Scaled), "a chain over depth has direct_partials_of_stages"
        check_partials(partials.scaled)
        return partials

    def direct_partials_of_stages(self, loss: Loss) -> tuple[Scaled, ...]:
        """The same of a chain over depth, one `(1, batch, n_t)` a state."""
        partials = self._partials(loss)
        assert not isinstance(partials, Scaled), "a chain over time has direct_partials"
        check_partials([partial.scaled for partial in partials])
        return partials

    def _evaluated(self, loss: Loss) -> Tensor:
        refuse_context()
        if callable(loss) and not isinstance(loss, Tensor):
            with torch.enable_grad():
                loss = loss(self.output)
        check_loss(loss)
        return loss

    def _product(
        self, name: str, vectors: Tensor, given: int, made: int, product: Callable[[int, Tensor], Tensor]
    ) -> Tensor:
        """A product of link max(given, made) with vectors at one of its states."""
        own = isinstance(vectors, Tensor) and vectors.shape == self.states[given].shape
        flat = vectors.reshape(self.rows, -1) if own else vectors
        check_vectors(name, flat, (self.rows, self.sizes[given]), self.dtype)
        found = product(max(given, made), flat)
        return found.reshape(self.states[made].shape) if own else found

    def _partials(self, loss: Loss) -> Scaled | tuple[Scaled, ...]:
        try:
            return self.partials(self._evaluated(loss))
        except RuntimeError as error:
            if "through the graph a second time" not in str(error):
                raise
            raise LossError(
                "a loss whose graph is gone",
                needed="a loss that can still be differentiated",
                why="backward() frees what the derivative with respect to the outputs is computed from",
                remedy="measure before loss.backward(), or call loss.backward(retain_graph=True)",
            ) from error

    def _check(self, t: int) -> None:
        check_index("link t", t, 1, self.length, "link t maps state t-1 to state t; count links from 1")


def check_chain(chain: object) -> None:
    """Raise UnsupportedModuleError unless it is a chain."""
    if not isinstance(chain, Chain):
        raise unsupported(
            f"a {type(chain).__name__} where a chain is needed",
            "a Chain",
            "make one with gs.time_chain(module, inputs), or take one by name from gs.chains(model, ...)",
        )


def listed_sizes(chain: Chain) -> str:
    """The names and sizes of the states, or of the first of them."""
    shown = [f"{name} {size}" for name, size in zip(chain.names[:8], chain.sizes, strict=False)]
    return ", ".join(shown) + (", ..." if len(chain.names) > 8 else "")


def check_loss(loss: object) -> None:
    """Raise LossError unless the loss is a differentiable real scalar."""
    if not isinstance(loss, Tensor) or loss.numel() != 1 or loss.is_complex():
        came = f"a loss of shape {tuple(loss.shape)}" if isinstance(loss, Tensor) else f"a {type(loss).__name__}"
        raise LossError(
            came,
            needed="a real scalar tensor computed from chain.output, or a callable that returns one",
            why="the gradient of a vector is not one direction",
            remedy="sum or average the loss first, for instance loss.mean()",
        )
    if not loss.requires_grad:
        raise independent_loss()
    if not torch.isfinite(loss):
        raise NonFiniteError(
            f"a loss of {loss.item()}",
            needed="a finite loss",
            why="its gradient would be NaN at every state",
            remedy="look at the loss's own inputs; a non-finite state would have been named already",
        )


def independent_loss() -> LossError:
    """The error for a loss in which the chain does not occur."""
    return LossError(
        "a loss that does not depend on the chain",
        needed="a loss computed from this chain's own output, with autograd enabled",
        why="every gradient along the chain would read zero, which is not what was measured",
        remedy="compute the loss from chain.output (not from a second forward pass, a detached copy or under no_grad)",
    )
