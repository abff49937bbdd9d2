"""Spectra of the one-step Jacobians of a chain."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd
import torch
from jaxtyping import Complex, Float
from torch import Tensor, nn

from gradstudy.chains.chain import Chain, check_chain
from gradstudy.chains.checks import check_index
from gradstudy.chains.closed_form import ClosedFormLinks
from gradstudy.chains.stage_links import StageLinks
from gradstudy.errors import UnsupportedModuleError
from gradstudy.measure.block_lanczos import largest_singular_values, spare_block
from gradstudy.measure.graded import random_basis
from gradstudy.measure.matrix_free import is_large, largest_values, link_operator
from gradstudy.measure.result import Result, tidy
from gradstudy.measure.stream import chunks

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Numbers of the dense Jacobians held at once: 256 MB in float64.
_CHUNK = 2**25
_LARGE_CHUNK = 2**25 // 512  # rows times n, of bases of some hundred vectors
# Relative error in sigma^2 at which a row's largest values have converged.
_TOLERANCE = {torch.float64: 1e-9}
_TOLERANCE_FLOAT32 = 1e-5


@dataclass(frozen=True, eq=False, repr=False)
class JacobianSpectra(Result):
    """Singular values, and eigenvalues on request, of every one-step Jacobian.

    Args:
        singular_values: of J_t = d s_t / d s_{t-1}, descending, `(T, batch, min(n_in, n_out) or k)`; links over depth
            that have fewer than the others read NaN behind their last.
        eigenvalues: complex eigenvalues, by descending modulus, `(T, batch, n)`; None unless asked for.
        names: of the stages over depth; None over time.
    """

    singular_values: Float[Tensor, "links batch k"]
    eigenvalues: Complex[Tensor, "links batch n"] | None = None
    names: tuple[str, ...] | None = None

    def to_frame(self, log10: bool = False) -> pd.DataFrame:
        """One row a link, batch row and value: `t` (from 1), `row`, `index`, `singular_value` (or its log10).

        Over depth also `stage`, its name.
        """
        frame = tidy(self.singular_values, ("t", "row", "index"), "singular_value")
        if self.names is not None:
            frame["stage"] = [self.names[t] for t in frame["t"]]
        frame["t"] += 1
        if log10:
            frame["log10_singular_value"] = tidy(self.singular_values.log10(), ("t", "r", "i"), "v")["v"]
            frame = frame.drop(columns="singular_value")
        return frame.dropna(ignore_index=True) if bool(self.singular_values.isnan().any()) else frame

    def plot(self, ax: Axes | None = None) -> Axes:
        """Singular values over t: largest, median, smallest."""
        from gradstudy.plot.jacobian_spectra import plot

        return plot(self.to_frame(), ax)

    def _summary(self) -> str:
        links, batch, k = self.singular_values.shape
        there = self.singular_values[~self.singular_values.isnan()]
        low, high = there.min().item(), there.max().item()
        return f"T={links}, batch={batch}, {k} values from {low:.3g} to {high:.3g}"


def jacobian_spectra(chain: Chain, k: int | None = None, eigenvalues: bool = False) -> JacobianSpectra:
    """Singular values of every one-step Jacobian J_t = d s_t / d s_{t-1}.

    Args:
        chain: any chain.
        k: keep the k largest; all by default.
        eigenvalues: also the complex eigenvalues of square links (all of them).

    Returns:
        JacobianSpectra in the chain's dtype, not logarithms.

    Raises:
        LinkRangeError: k is not between 1 and min(n_in, n_out).
        UnsupportedModuleError: eigenvalues of links that are not square.
        TooLargeError: over depth, a dense link that would not fit into memory.
        ConvergenceError: values of a large link that do not come to stand apart.

    Cost: over depth, link by link, the products that the smaller side asks for and one dense SVD, or, with k and more
    than 512 components on either side, block Lanczos on products as below (the dense matrix, or if it is too large
    ARPACK, for what does not converge in it).
    Over time dense Jacobians of all links in chunks of at most 256 MB, one dense SVD each (O(n^3)). With k and n > 512
    (and a closed form), block Lanczos on products with the links, which are never formed: some 16 products with
    k + 4 vectors each, within 5e-10 (float64) or 5e-6 (float32) relative; rows that do not get there are done densely.

    Example:
        >>> import torch, gradstudy as gs
        >>> chain = gs.time_chain(torch.nn.RNN(3, 4), torch.randn(10, 2, 3))
        >>> tuple(gs.jacobian_spectra(chain).singular_values.shape)
        (10, 2, 4)
    """
    check_chain(chain)
    links = chain.links
    if k is not None:
        size = max(map(min, chain.sizes, chain.sizes[1:]))
        check_index("k", k, 1, size, f"a Jacobian here has at most {size} singular values; leave k out for all")
    if isinstance(links, StageLinks):
        with torch.no_grad():
            return _of_stages(chain, k, eigenvalues)
    if k is not None and not eigenvalues and _few(chain, k) and isinstance(links, ClosedFormLinks):
        with torch.no_grad():
            return JacobianSpectra(f"{chain.method}, block Lanczos", chain.dtype, _largest(chain, links, k))
    values, found = [], []
    with torch.no_grad():
        for start, stop in chunks(chain, 0, chain.length, _CHUNK):
            jacobians = chain.links.jacobians(start, stop)
            _check(jacobians, eigenvalues)
            values.append(torch.linalg.svdvals(jacobians)[..., :k])
            if eigenvalues:
                found.append(_by_modulus(torch.linalg.eigvals(jacobians)))
    return JacobianSpectra(
        f"{chain.method}, dense SVD", chain.dtype, torch.cat(values), torch.cat(found) if eigenvalues else None
    )


def _of_stages(chain: Chain, k: int | None, eigenvalues: bool) -> JacobianSpectra:
    """Link after link: each has a shape of its own, and takes the cheaper of the two ways."""
    values, found, free = [], [], list[str]()
    for t in range(1, chain.length + 1):
        if is_large(chain.sizes[t - 1], chain.sizes[t], k) and not eigenvalues:
            assert k is not None
            values.append(largest_values(link_operator(chain, t), k)[0])
            free.append(chain.names[t])
            continue
        jacobian = chain.jacobian(t)
        _check(jacobian, eigenvalues)
        values.append(torch.linalg.svdvals(jacobian)[..., :k])
        if eigenvalues:
            found.append(_by_modulus(torch.linalg.eigvals(jacobian)))
    how = f"block Lanczos ({', '.join(free)})" if free else "dense SVD"
    return JacobianSpectra(
        f"{chain.method}, {how}", chain.dtype, _padded(values), _padded(found) if eigenvalues else None, chain.names[1:]
    )


def _padded(rows: list[Tensor]) -> Tensor:
    """`(rows, k_t)` each, as one tensor with NaN for what a smaller link does not have."""
    width = max(row.shape[-1] for row in rows)
    return torch.stack([nn.functional.pad(row, (0, width - row.shape[-1]), value=torch.nan) for row in rows])


def _few(chain: Chain, k: int) -> bool:
    """Whether k of that many singular values are cheaper from products with the link."""
    return is_large(chain.sizes[0], chain.sizes[1], k)


def _largest(chain: Chain, links: ClosedFormLinks, k: int) -> Tensor:
    """The k largest singular values of every link without forming one, `(T, batch, k)`."""
    batch, size = chain.rows, chain.sizes[0]
    step, found = max(1, _LARGE_CHUNK // (batch * size)), []
    for start in range(0, chain.length, step):
        stop = min(start + step, chain.length)
        abreast = links.abreast(start, stop)
        rows = (stop - start) * batch
        basis = random_basis(rows, size, spare_block(k), chain.device).to(chain.dtype)
        top = largest_singular_values(
            lambda v, links=abreast: links.jvp(1, v),  # type: ignore[misc]
            lambda u, links=abreast: links.vjp(1, u),  # type: ignore[misc]
            basis,
            k,
            _TOLERANCE.get(chain.dtype, _TOLERANCE_FLOAT32),
        )
        for row in (~top.converged).nonzero().flatten().tolist():
            dense = links.jacobians(start + row // batch, start + row // batch + 1)[0, row % batch]
            top.values[row] = torch.linalg.svdvals(dense)[:k]
        found.append(top.values.unflatten(0, (stop - start, batch)))
    return torch.cat(found)


def _by_modulus(values: Tensor) -> Tensor:
    return values.gather(-1, values.abs().argsort(dim=-1, descending=True))


def _check(jacobians: Tensor, eigenvalues: bool) -> None:
    rows, columns = jacobians.shape[-2:]
    if eigenvalues and rows != columns:
        raise UnsupportedModuleError(
            f"eigenvalues of {rows} x {columns} links",
            needed="square links",
            why="a map between different spaces has no eigenvalues",
            remedy="use the singular values",
        )
