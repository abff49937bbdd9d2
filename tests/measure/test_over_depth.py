"""Gradient norms and spectra of chains over depth.

Oracles: autograd's own gradients (retain_grad) of the same pass, dense Jacobians and numpy's SVD, mpmath's product in
high precision on the same links, and known answers (scaled orthogonal layers).
"""

from __future__ import annotations

import math
import pickle

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import gradstudy as gs
from gradstudy.errors import ConvergenceError, LinkRangeError, TooLargeError, UnsupportedModuleError
from gradstudy.measure import dense, matrix_free
from gradstudy.measure.matrix_free import Operator, largest_values


def cnn(norm: bool = True, dtype: torch.dtype = torch.float64) -> nn.Sequential:
    torch.manual_seed(1)
    layers: list[nn.Module] = [nn.Conv2d(2, 5, 3, padding=1), nn.Tanh(), nn.Conv2d(5, 5, 3, padding=1, stride=2)]
    layers += [nn.BatchNorm2d(5)] * norm + [nn.ReLU(inplace=True), nn.Flatten(), nn.Linear(5 * 9, 4)]
    return nn.Sequential(*layers).to(dtype)


def images(rows: int = 3, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(rows, 2, 6, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64).to(dtype)


def criterion(output: Tensor) -> Tensor:
    return nn.functional.cross_entropy(output, torch.arange(len(output)) % 4)


@pytest.mark.parametrize("train", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_gradient_norms_against_autograd(train: bool, dtype: torch.dtype) -> None:
    model = cnn(dtype=dtype).train(train)
    chain = gs.depth_chain(model, images(dtype=dtype))
    norms = gs.gradient_norms(chain, criterion(chain.output))
    state, kept = images(dtype=dtype).requires_grad_(), list[Tensor]()
    for stage in [nn.Identity(), *model]:
        state = stage(state.clone())
        state.retain_grad()
        kept.append(state)
    criterion(state).backward()
    gradients = [one.grad.double().flatten(1) for one in kept]
    expected = torch.stack([gradient.norm(dim=1).log() for gradient in gradients])
    tolerance = 1e-5 if dtype == torch.float32 else 1e-12
    torch.testing.assert_close(norms.log_norm, expected, atol=tolerance, rtol=0)
    total = torch.stack([gradient.norm().log() for gradient in gradients])
    torch.testing.assert_close(norms.log_norm_total, total, atol=tolerance, rtol=0)
    assert "0" in repr(norms)
    assert set(norms.to_frame().columns) == {"t", "row", "state", "log_norm"}


def test_a_loss_on_several_states() -> None:
    class Auxiliary(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.blocks = nn.ModuleList(nn.Linear(4, 4) for _ in range(3))

        def forward(self, x: Tensor) -> list[Tensor]:
            states = [x]
            for block in self.blocks:
                states.append(torch.tanh(block(states[-1])))
            return states

    model = Auxiliary().double()
    chain = gs.depth_chain(model, torch.randn(2, 4, dtype=torch.float64))

    def loss(states: list[Tensor]) -> Tensor:  # the states of the chain are those before the tanh
        return states[1].pow(3).sum() + 5 * states[3].sum() + states[0].square().sum()

    norms = gs.gradient_norms(chain, loss)
    state = chain.states[0].clone().requires_grad_()
    kept, states = [state], [state]
    for block in model.blocks:
        kept.append(block(states[-1]))
        states.append(torch.tanh(kept[-1]))
    for one in kept:
        one.retain_grad()
    loss(states).backward()
    torch.testing.assert_close(norms.log_norm, torch.stack([one.grad.norm(dim=1).log() for one in kept]))


def test_gradients_far_below_float32() -> None:
    torch.manual_seed(0)
    layers = [nn.Linear(6, 6, bias=False) for _ in range(80)]
    for layer in layers:
        nn.init.orthogonal_(layer.weight, gain=0.05)
    chain = gs.depth_chain(nn.Sequential(*layers), torch.randn(2, 6))
    norms = gs.gradient_norms(chain, chain.output.sum())
    expected = math.log(math.sqrt(6)) + math.log(0.05) * torch.arange(80, -1, -1, dtype=torch.float64)
    torch.testing.assert_close(norms.log_norm, expected[:, None].expand(-1, 2), atol=1e-4, rtol=0)
    spectrum = gs.product_spectrum(chain)
    torch.testing.assert_close(
        spectrum.log_singular_values, torch.full((2, 6), 80 * math.log(0.05)).double(), atol=1e-4, rtol=0
    )


@pytest.mark.parametrize("train", [False, True])
def test_jacobian_spectra_of_links_of_all_shapes(train: bool) -> None:
    chain = gs.depth_chain(cnn().train(train), images())
    spectra = gs.jacobian_spectra(chain)
    for t in range(1, chain.length + 1):
        expected = np.linalg.svd(chain.jacobian(t).numpy(), compute_uv=False)
        found = spectra.singular_values[t - 1, :, : expected.shape[-1]].numpy()
        np.testing.assert_allclose(found, expected, atol=1e-13)
        assert spectra.singular_values[t - 1, :, expected.shape[-1] :].isnan().all()
    frame = spectra.to_frame()
    sizes = [min(pair) for pair in zip(chain.sizes, chain.sizes[1:], strict=False)]
    assert len(frame) == chain.rows * sum(sizes)
    few = gs.jacobian_spectra(chain, k=3).singular_values
    torch.testing.assert_close(few, spectra.singular_values[..., :3])
    with pytest.raises(LinkRangeError):
        gs.jacobian_spectra(chain, k=max(sizes) + 1)
    with pytest.raises(UnsupportedModuleError, match="eigenvalues"):
        gs.jacobian_spectra(chain, eigenvalues=True)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_largest_values_of_links_too_large_to_form(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    layers = [nn.Conv2d(4, 5, 3, padding=1), nn.Tanh(), nn.Conv2d(5, 5, 3, padding=1), nn.BatchNorm2d(5)]
    model = nn.Sequential(*layers).to(dtype)
    x = torch.randn(1, 4, 12, 12, dtype=dtype)
    chain = gs.depth_chain(model, x)
    assert chain.rows == 1
    few = gs.jacobian_spectra(chain, k=4)
    assert "block Lanczos (0, 1, 2, 3)" in few.method
    full = gs.jacobian_spectra(chain).singular_values[..., :4]
    torch.testing.assert_close(few.singular_values, full, rtol=1e-9 if dtype == torch.float64 else 1e-5, atol=0)
    product, plain = gs.product_spectrum(chain, k=4), dense.jacobian_product(chain).double()
    assert "block Lanczos" in product.method
    gap = (product.log_singular_values - torch.linalg.svdvals(plain)[:, :4].log()).abs()
    assert bool((gap <= product.error + (1e-6 if dtype == torch.float32 else 1e-12)).all())
    assert product.error.max() < (1e-3 if dtype == torch.float32 else 1e-8)


class Centred(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x - x.mean(1, keepdim=True)


class Gated(nn.Module):
    """One row shrinks far faster than the other."""

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.tensor([[1.0], [1e-3]]).to(x)


def wide(kind: str) -> nn.Sequential:
    torch.manual_seed(0)
    first = nn.Linear(600, 700, bias=False)
    if kind == "relu":  # a rank below k that no shape tells
        return nn.Sequential(first, nn.ReLU(), nn.Linear(700, 4), nn.Linear(4, 650), nn.Threshold(0.3, 0.0))
    if kind == "apart":
        nn.init.orthogonal_(first.weight)
        return nn.Sequential(first, *(Gated() for _ in range(16)))
    with torch.no_grad():
        first.weight.add_(30 * torch.randn(1, 600))  # nearly all of it is taken out again
    return nn.Sequential(first, Centred(), nn.Linear(700, 20 if kind == "formed" else 650))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("kind", "k"), [("centred", 3), ("formed", 10), ("apart", 3), ("relu", 4), ("relu", 6)])
def test_the_error_of_the_largest_values_of_large_products(dtype: torch.dtype, kind: str, k: int) -> None:
    chain = gs.depth_chain(wide(kind).to(dtype), torch.randn(2, 600, dtype=dtype))
    found = gs.product_spectrum(chain, k=k)
    product = chain.jacobian(1).double()
    for t in range(2, chain.length + 1):
        product = chain.jacobian(t).double() @ product
    expected = torch.linalg.svdvals(product)[:, : min(k, 4)].log()
    gap = (found.log_singular_values[:, :4] - expected).abs()
    assert bool((gap <= found.error[:, :4]).all())
    assert found.error[:, :3].max() < (1e-2 if dtype == torch.float32 else 1e-8)
    if kind == "relu":  # no more than the narrowest state lets through
        assert bool(found.log_singular_values[:, 4:].isneginf().all())
        assert not found.error[:, 4:].any()


def test_values_below_the_rounding_of_large_products_have_no_bound() -> None:
    torch.manual_seed(0)
    low = nn.Linear(600, 600, bias=False).double()
    with torch.no_grad():
        low.weight.copy_(torch.randn(600, 3).double() @ torch.randn(3, 600).double())
    chain = gs.depth_chain(nn.Sequential(low, nn.Tanh()), torch.zeros(1, 600, dtype=torch.float64))
    found = gs.product_spectrum(chain, k=5)
    assert bool((found.error[0, :3] < 1e-8).all())
    assert bool(found.error[0, 3:].isinf().all())


def test_rows_that_stop_early_are_restarted(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    matrix = torch.randn(2, 700, 600, dtype=torch.float64)
    cpu = torch.device("cpu")
    operator = Operator(lambda v: matrix @ v, lambda u: matrix.mT @ u, 2, 600, 700, torch.float64, cpu)
    monkeypatch.setattr(matrix_free, "_MOST", 1)
    values, error = largest_values(operator, 3)
    torch.testing.assert_close(values, torch.linalg.svdvals(matrix)[:, :3], rtol=1e-9, atol=0)
    assert bool((error <= 1e-9).all())
    monkeypatch.setattr(matrix_free, "_MOST_DENSE", 1)
    again, error = largest_values(operator, 3)
    torch.testing.assert_close(again, values, rtol=1e-9, atol=0)
    assert bool((error <= 1e-9).all())
    monkeypatch.setattr(matrix_free, "svds", fail)
    with pytest.raises(ConvergenceError, match="3 largest"):
        largest_values(operator, 3)


def fail(*args: object, **kwargs: object) -> None:
    raise matrix_free.ArpackNoConvergence("no convergence", np.zeros(1), np.zeros((1, 1)))


def test_product_through_a_bottleneck_against_mpmath() -> None:
    torch.manual_seed(3)
    sizes = [7, 9, 4, 6, 8]
    layers: list[nn.Module] = []
    for i in range(len(sizes) - 1):
        layers += [nn.Linear(sizes[i], sizes[i + 1]), nn.Tanh()]
    chain = gs.depth_chain(nn.Sequential(*layers).double(), torch.randn(2, 7, dtype=torch.float64))
    found = gs.product_spectrum(chain)
    assert found.log_singular_values.shape == (2, 7)
    for row in range(2):
        padded = torch.zeros(chain.length, 9, 9, dtype=torch.float64)
        for t in range(1, chain.length + 1):
            jacobian = chain.jacobian(t)[row]
            padded[t - 1, : jacobian.shape[0], : jacobian.shape[1]] = jacobian
        expected = [value for value in dense.log_singular_values(padded) if value > -math.inf]
        assert len(expected) == 4
        gap = (found.log_singular_values[row, :4] - torch.tensor(expected, dtype=torch.float64)).abs()
        assert bool((gap <= found.error[row, :4]).all())
        assert bool((found.error[row, :4] <= 1e-9).all())
        assert bool(found.log_singular_values[row, 4:].isneginf().all())
        assert not found.error[row, 4:].any()
    part = gs.product_spectrum(chain, 4, 6, k=2)
    expected = torch.linalg.svdvals(dense.jacobian_product(chain, 4, 6))[:, :2].log()
    torch.testing.assert_close(part.log_singular_values, expected)


def test_relu_chain_has_as_many_finite_values_as_its_exact_rank() -> None:
    torch.manual_seed(0)
    layers: list[nn.Module] = []
    for _ in range(6):
        layers += [nn.Linear(16, 16), nn.ReLU()]
    chain = gs.depth_chain(nn.Sequential(*layers).double(), torch.randn(3, 16, dtype=torch.float64))
    found = gs.product_spectrum(chain)
    assert "bits" not in found.method  # as many columns as the rank has are enough for float64
    for row in range(3):
        jacobians = torch.stack([chain.jacobian(t)[row] for t in range(1, chain.length + 1)])
        expected = torch.tensor(dense.log_singular_values(jacobians), dtype=torch.float64)
        finite = expected.isfinite()
        assert torch.equal(found.log_singular_values[row].isfinite(), finite)
        gap = (found.log_singular_values[row, finite] - expected[finite]).abs()
        assert bool((gap <= found.error[row, finite]).all())
        assert bool((found.error[row, finite] <= 1e-9).all())


def test_from_an_image_to_few_classes() -> None:
    chain = gs.depth_chain(cnn(norm=False).eval(), torch.randn(2, 2, 6, 6, dtype=torch.float64))
    expected = torch.linalg.svdvals(dense.jacobian_product(chain)).log()
    torch.testing.assert_close(gs.product_spectrum(chain).log_singular_values[:, :4], expected)
    large = nn.Sequential(nn.Conv2d(1, 40, 3, padding=1), nn.Tanh(), nn.Flatten(), nn.Linear(40 * 256, 5)).double()
    chain = gs.depth_chain(large, torch.randn(1, 1, 16, 16, dtype=torch.float64))
    found = gs.product_spectrum(chain, k=5)
    assert "product formed" in found.method
    expected = torch.linalg.svdvals(torch.func.jacrev(large)(chain.states[0])[0].reshape(5, 256)).log()
    torch.testing.assert_close(found.log_singular_values[0], expected)
    with pytest.raises(TooLargeError, match="GB"):
        gs.product_spectrum(gs.depth_chain(large, torch.randn(8, 1, 16, 16, dtype=torch.float64)))


def test_batch_coupled_product_is_not_that_of_its_blocks() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Tanh(), nn.Linear(4, 4), nn.BatchNorm1d(4)).double()
    x = torch.randn(5, 4, dtype=torch.float64)
    found = gs.product_spectrum(gs.depth_chain(model, x))
    whole = torch.autograd.functional.jacobian(model, x).reshape(20, 20)
    expected = torch.linalg.svdvals(whole)
    kept = expected > 1e-9 * expected[0]
    torch.testing.assert_close(found.log_singular_values[0][kept], expected[kept].log(), atol=1e-7, rtol=0)


@pytest.mark.parametrize("train", [False, True])
def test_moments_by_probes_against_the_dense_product(train: bool) -> None:
    chain = gs.depth_chain(cnn().train(train), images())
    found = gs.jacobian_moments(chain, 1, 6, probes=200, seed=0)
    for ours, stderr, exact in zip(
        (found.log_mean, found.log_second_moment),
        (found.log_mean_stderr, found.log_second_moment_stderr),
        dense.jacobian_moments(chain, 1, 6),
        strict=True,
    ):
        assert ours.shape == (chain.rows,)
        assert bool(((ours - exact.log()).abs() < 4 * stderr).all())


def test_results_name_the_stages() -> None:
    chain = gs.depth_chain(cnn().eval(), images())
    norms, spectra = gs.gradient_norms(chain, criterion(chain.output)), gs.jacobian_spectra(chain, k=2)
    assert tuple(norms.to_frame().groupby("t")["state"].first()) == chain.names
    assert tuple(spectra.to_frame().groupby("t")["stage"].first()) == chain.names[1:]
    for result, names in ((norms, chain.names), (spectra, chain.names[1:])):
        ax = result.plot()
        assert [label.get_text() for label in ax.get_xticklabels()] == list(names)
    deep = gs.depth_chain(nn.Sequential(*(nn.Tanh() for _ in range(70))), torch.ones(1, 2))
    assert len(gs.gradient_norms(deep, deep.output.sum()).plot().get_xticks()) <= 24


def test_results_have_pictures_and_are_pickled() -> None:
    chain = gs.depth_chain(cnn().eval(), images())
    norms = gs.gradient_norms(chain, criterion(chain.output))
    for result in (norms, gs.jacobian_spectra(chain, k=2), gs.product_spectrum(chain, k=2)):
        assert result.plot().get_ylabel()
        assert repr(pickle.loads(pickle.dumps(result))) == repr(result)
