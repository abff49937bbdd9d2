"""gradient_correlation.

Oracles: `numpy.corrcoef` and plain loops over models, rows and components; closed forms: linear nets, one hidden layer
of rectifiers (1 - angle / pi), wide deep ones by the arc-cosine kernel; a jackknife written out.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from torch import nn

import gradstudy as gs
from gradstudy import errors


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def he(width, layers, size=3):
    """A rectifier net of so many hidden layers with weights of variance 2 / fan-in and no bias."""
    modules = []
    for _ in range(layers):
        modules += [nn.Linear(size, width, bias=False), nn.ReLU()]
        size = width
    net = nn.Sequential(*modules, nn.Linear(size, 1, bias=False)).double()
    for layer in net[::2]:
        nn.init.normal_(layer.weight, std=math.sqrt(2 / layer.in_features))
    return net


def normalised(training=True):
    layers = (
        nn.Linear(2, 6),
        nn.BatchNorm1d(6),
        nn.Tanh(),
        nn.Linear(6, 6),
        nn.BatchNorm1d(6),
        nn.Tanh(),
        nn.Linear(6, 1),
    )
    return nn.Sequential(*layers).double().train(training)


def brute_gradients(models, inputs, scalar=lambda y: y[:, 0]):
    """d F(x_i) / d x_i, one row and model after another."""
    found = []
    for model in models:
        rows = []
        for i in range(len(inputs)):
            x = inputs.clone().requires_grad_()
            rows.append(torch.autograd.grad(scalar(model(x))[i], x)[0][i].flatten())
        found.append(torch.stack(rows))
    return torch.stack(found).numpy()


def brute_correlation(gradients):
    _, rows, size = gradients.shape
    found = np.empty((rows, rows))
    for i in range(rows):
        for j in range(rows):
            pooled = [np.cov(gradients[:, i, c], gradients[:, j, c]) for c in range(size)]
            both, first, second = (sum(p[a, b] for p in pooled) for a, b in ((0, 1), (0, 0), (1, 1)))
            found[i, j] = both / math.sqrt(first * second)
    return found


def test_against_numpy_on_one_dimensional_inputs():
    models, inputs = [he(8, 2, size=1) for _ in range(12)], torch.linspace(-2, 2, 6).double()[:, None]
    for model in models:
        nn.init.normal_(model[0].weight)
        model[0].bias = nn.Parameter(torch.randn(8).double())
    found = gs.gradient_correlation(models, inputs)
    gradients = brute_gradients(models, inputs)[:, :, 0]
    np.testing.assert_allclose(found.correlation, np.corrcoef(gradients.T), atol=1e-13)
    np.testing.assert_allclose(found.log_variance, np.log(gradients.var(0, ddof=1)), atol=1e-12)
    np.testing.assert_allclose(found.distance, (inputs - inputs.T).abs(), atol=1e-15)
    assert not found.coupled


@pytest.mark.parametrize("training", [True, False])
def test_against_a_loop_with_and_without_coupled_rows(training):
    models, inputs = [normalised(training) for _ in range(5)], torch.randn(4, 2).double()
    for model in models:  # of use in eval mode
        model[1].running_mean.normal_()
    before = [{k: v.clone() for k, v in model.state_dict().items()} for model in models]
    found = gs.gradient_correlation(models, inputs)
    assert found.coupled is training
    for model, state in zip(models, before, strict=True):
        assert all(torch.equal(v, state[k]) for k, v in model.state_dict().items())
        assert all(p.grad is None for p in model.parameters())
        assert model.training is training
    gradients = brute_gradients(models, inputs)
    np.testing.assert_allclose(found.correlation, brute_correlation(gradients), atol=1e-11)
    want = np.log(gradients.var(0, ddof=1).mean(-1))
    np.testing.assert_allclose(found.log_variance, want, atol=1e-11)


def test_jackknife_errors_against_leaving_models_out_one_by_one():
    models, inputs = [he(5, 1) for _ in range(7)], torch.randn(4, 3).double()
    found = gs.gradient_correlation(models, inputs)
    left = [gs.gradient_correlation(models[:k] + models[k + 1 :], inputs) for k in range(7)]
    for name in ("correlation", "log_variance"):
        values = torch.stack([getattr(one, name) for one in left])
        want = ((6 / 7) * (values - values.mean(0)).square().sum(0)).sqrt()
        torch.testing.assert_close(getattr(found, f"{name}_stderr"), want, rtol=1e-7, atol=1e-12)
    values = np.array([one.mean_correlation for one in left])
    want = math.sqrt(6 / 7 * ((values - values.mean()) ** 2).sum())
    assert found.mean_correlation_stderr == pytest.approx(want, rel=1e-7)
    pairs = found.correlation[tuple(torch.triu_indices(4, 4, 1))]
    assert found.mean_correlation == pytest.approx(pairs.mean().item(), rel=1e-12)


def test_linear_nets_have_one_gradient_everywhere_and_its_variance():
    # Two layers, F = v.Wx: dF/dx = W^T v, whose components have variance h var(v) var(W) = 8 * 4 * 0.25.
    def linear():
        net = nn.Sequential(nn.Linear(10, 8), nn.Linear(8, 1)).double()
        nn.init.normal_(net[0].weight, std=0.5)
        nn.init.normal_(net[1].weight, std=2.0)
        return net

    found = gs.gradient_correlation((linear() for _ in range(400)), torch.randn(3, 10).double())
    torch.testing.assert_close(found.correlation, torch.ones(3, 3).double())
    assert found.log_variance[0].item() == pytest.approx(math.log(8), abs=4 * found.log_variance_stderr[0].item())
    assert 0.01 < found.log_variance_stderr[0] < 0.1


def test_one_hidden_layer_of_rectifiers_by_the_angle():
    # Both inputs keep a unit active with probability (1 - angle / pi) / 2; of weights that are isotropic the same
    # share of dF/dx is common, whatever the width.
    angles = torch.tensor([0.0, 0.3, math.pi / 2, 2.5, math.pi], dtype=torch.float64)
    inputs = torch.stack([angles.cos(), angles.sin(), 0 * angles], 1)
    found = gs.gradient_correlation((he(16, 1) for _ in range(500)), inputs)
    want = 1 - (angles[:, None] - angles).abs() / math.pi
    deviation = (found.correlation - want).abs()
    assert (deviation <= 4 * found.correlation_stderr + 1e-12).all()
    assert found.correlation_stderr.max() < 0.05


def test_plain_rectifier_nets_shatter_polynomially_not_as_two_to_the_minus_depth():
    # Wide limit, arc-cosine kernel: from layer to layer cos(a') = (sin a + (pi - a) cos a) / pi, and the correlation
    # takes the factor 1 - a / pi.
    angle, want = math.pi / 2, 1.0
    for _ in range(6):
        want *= 1 - angle / math.pi
        angle = math.acos((math.sin(angle) + (math.pi - angle) * math.cos(angle)) / math.pi)
    found = gs.gradient_correlation((he(60, 6, size=50) for _ in range(200)), torch.eye(50).double()[:2])
    assert abs(found.mean_correlation - want) < 4 * found.mean_correlation_stderr
    assert found.mean_correlation - 2**-6 > 3 * found.mean_correlation_stderr


def test_rows_that_differ_by_more_than_one_digit_are_told_apart():
    # Each row is coupled with the one 32 places on, which has the same first weight.
    class Paired(nn.Module):
        def __init__(self):
            super().__init__()
            self.line = nn.Linear(2, 1)

        def forward(self, x):
            return (self.line(x) + (x * x.roll(32, 0)).sum(1, keepdim=True)) ** 2

    models, inputs = [Paired().double() for _ in range(2)], torch.randn(40, 2).double()
    found = gs.gradient_correlation(models, inputs)
    assert found.coupled
    np.testing.assert_allclose(found.correlation, brute_correlation(brute_gradients(models, inputs)), atol=1e-11)


def test_images_outputs_of_choice_and_modules_that_work_in_place():
    def net():
        layers = nn.ReLU(inplace=True), nn.Conv2d(2, 3, 3, padding=1), nn.Flatten(), nn.Linear(3 * 16, 5)
        return nn.Sequential(*layers).double()

    models, inputs = [net() for _ in range(4)], torch.randn(3, 2, 4, 4).double()
    before = inputs.clone()
    found = gs.gradient_correlation(nn.ModuleList(models), inputs, output=lambda y: y[:, 2])
    assert torch.equal(inputs, before)
    assert not found.coupled
    models = [nn.Sequential(nn.ReLU(), *list(model)[1:]) for model in models]
    want = brute_correlation(brute_gradients(models, inputs, lambda y: y[:, 2]))
    np.testing.assert_allclose(found.correlation, want, atol=1e-12)


def test_gradients_whose_squares_underflow_and_gradients_that_are_zero():
    class Scaled(nn.Module):
        def __init__(self):
            super().__init__()
            self.factor = nn.Parameter(torch.randn((), dtype=torch.float64))

        def forward(self, x):
            return 1e-200 * self.factor * x[:, 0].clamp(min=0)

    inputs = torch.tensor([[1.0], [2.0], [-1.0]], dtype=torch.float64)
    models = [Scaled() for _ in range(5)]
    found = gs.gradient_correlation(models, inputs)
    factors = np.array([model.factor.item() for model in models])
    want = math.log(factors.var(ddof=1)) - 400 * math.log(10)
    assert found.log_variance[:2].tolist() == pytest.approx([want, want])
    assert found.correlation[0, 1].item() == pytest.approx(1)
    assert found.log_variance[2] == -math.inf
    assert found.correlation[2].isnan().all()


def test_two_models_have_a_correlation_and_no_error():
    found = gs.gradient_correlation([he(5, 1), he(5, 1)], torch.randn(2, 3).double())
    assert found.correlation.isfinite().all()
    assert found.correlation_stderr.isnan().all()
    assert math.isnan(found.mean_correlation_stderr)
    assert found.plot(Figure().subplots()).lines


def test_the_random_state_of_the_models_own_drawing_is_kept():
    torch.manual_seed(3)
    models = [he(5, 1) for _ in range(3)]
    after = torch.random.get_rng_state()
    torch.manual_seed(3)
    inputs = torch.ones(2, 3, dtype=torch.float64).tril()
    found = gs.gradient_correlation((he(5, 1) for _ in range(3)), inputs)
    assert torch.equal(torch.random.get_rng_state(), after)
    assert torch.equal(found.correlation, gs.gradient_correlation(models, inputs).correlation)


def test_what_cannot_be_measured_is_named():
    inputs = torch.randn(3, 3)

    def nets(*layers, count=3):
        return [nn.Sequential(nn.Linear(3, 4), *layers, nn.Linear(4, 1)) for _ in range(count)]

    class Detached(nn.Linear):
        def forward(self, x):
            return super().forward(x.detach())

    for models in ([], nets(count=1), nets(count=1) * 3, [*nets(), *nets(nn.BatchNorm1d(4))]):
        with pytest.raises(errors.ModelsError):
            gs.gradient_correlation(models, inputs)
    with pytest.raises(errors.ModelsError, match=r"model 1 with weight of shape \(1, 2\), where model 0 has \(1, 3\)"):
        gs.gradient_correlation([nn.Linear(3, 1), nn.Linear(2, 1)], inputs)
    with pytest.raises(errors.OutputError, match="does not depend"):
        gs.gradient_correlation([Detached(3, 1), Detached(3, 1)], inputs)
    with pytest.raises(errors.OutputError, match="does not depend"), torch.no_grad():
        gs.gradient_correlation(nets(), inputs, output=lambda y: y.detach())
    for output in (None, lambda y: y.sum(), lambda y: y.long()[:, 0], lambda y: 3):
        with pytest.raises(errors.OutputError, match="row"):
            gs.gradient_correlation([nn.Linear(3, 2) for _ in range(3)], inputs, output=output)
    with pytest.raises(errors.DTypeError):
        gs.gradient_correlation(nets(), inputs.long())
    with pytest.raises(errors.DTypeError):
        gs.gradient_correlation(nets(), inputs.double())
    with pytest.raises(errors.InputShapeError):
        gs.gradient_correlation(nets(), inputs[:1])
    with pytest.raises(errors.NonFiniteError, match="inputs"):
        gs.gradient_correlation(nets(), inputs / 0)
    with pytest.raises(errors.NonFiniteError, match="output of model 0"):
        gs.gradient_correlation(nets(), inputs, output=lambda y: y[:, 0] / 0)
    with pytest.raises(errors.NonFiniteError, match="gradient of model 0"):
        gs.gradient_correlation(nets(), inputs, output=lambda y: (0 * y[:, 0]).sqrt())
    state = torch.random.get_rng_state()
    dropped = nets(nn.Dropout())
    state = torch.random.get_rng_state()
    with pytest.raises(errors.UnsupportedModuleError, match="random"):
        gs.gradient_correlation(dropped, inputs)
    assert torch.equal(torch.random.get_rng_state(), state)
    gs.gradient_correlation([model.eval() for model in dropped], inputs)
    with pytest.raises(errors.UnsupportedModuleError, match="iterable"):
        gs.gradient_correlation(dropped[0], inputs)
    with pytest.raises(errors.UnsupportedModuleError, match="lazy"):
        gs.gradient_correlation([nn.LazyLinear(1)] * 2, inputs)


def test_the_result_is_a_table_a_plot_and_a_line():
    found = gs.gradient_correlation([he(5, 1) for _ in range(4)], torch.randn(3, 3).double())
    frame = found.to_frame()
    names = ["i", "j", "distance", "correlation", "stderr"]
    assert list(frame.columns) == [*names, "log_variance_i", "log_variance_j"]
    assert frame[["i", "j"]].to_numpy().tolist() == [[0, 1], [0, 2], [1, 2]]
    assert frame["correlation"][1] == found.correlation[0, 2]
    shorter = found.to_frame(log10=True)
    np.testing.assert_allclose(shorter["log10_variance_j"] * math.log(10), frame["log_variance_j"])
    assert "distance" in found.plot(Figure().subplots()).get_xlabel()
    assert "4 models" in repr(found)
