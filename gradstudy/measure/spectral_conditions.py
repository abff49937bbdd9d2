"""The two spectral conditions of Pascanu et al. (2013) beside the growth they are conditions for."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from gradstudy.chains.adjoint import adjoint
from gradstudy.measure.error_decay import error_decay, log_components
from gradstudy.measure.growth import tangent_growth
from gradstudy.measure.product_spectrum import product_spectrum
from gradstudy.measure.subject import Subject
from gradstudy.models.initialisations import spectral_norm, spectral_radius
from gradstudy.models.randomness import generator
from gradstudy.models.recurrent import recurrent_weight
from gradstudy.theory.pascanu2013 import GAMMA, log_bound

Growth = Literal["product", "tangent"]


@dataclass(frozen=True)
class Probe:
    """How the growth along a chain is measured.

    Args:
        burn_in: links that are not counted.
        growth: "product": log sigma_1 of the Jacobian product; "tangent": log norm of a random tangent vector, a lower
            bound on it, for long chains of many rows.
        perturbation: if above 0 the growth is measured once more with W perturbed by this much, relative in the
            Frobenius norm.
        seed: of tangents and perturbations.
    """

    burn_in: int = 0
    growth: Growth = "product"
    perturbation: float = 0.0
    seed: int = 0


def spectral_conditions(subjects: Sequence[Subject], probe: Probe) -> pd.DataFrame:
    """Spectral radius, spectral norm, bound, growth and margins of each subject.

    Returns:
        One row a network: `network`; `rho`, `sigma_1` of its W; `gamma`; `log_bound` = log(gamma sigma_1);
        `growth`, `growth_low`, `growth_high`: growth rate of the Jacobian product, mean, least and largest over its
        rows, nats per link; `growth_margin`: largest log sigma_1(product) - T log_bound, nats, and its numerical
        `growth_error`; `component_margin`: largest over rows and lags l of log |dE_T/ds_{T-l}| - log |dE_T/ds_T| -
        l log_bound, nats, and `component_lag`, that l; `component_per_link`: the same at lag T, divided by T;
        `rho_perturbed`, `growth_perturbed`, `growth_perturbed_low` (NaN without a perturbation); `loss` of the task in
        nats a step (NaN without a task).

    Cost: a product spectrum (or a tangent) and a gradient-norm pass a subject.
    """
    return pd.DataFrame([{"network": i, **_row(subject, probe, i)} for i, subject in enumerate(subjects)])


def _row(subject: Subject, probe: Probe, index: int) -> dict[str, float]:
    weight = subject.network.weight
    bound = log_bound(subject.activation, spectral_norm(weight))
    growth, error = _growth(subject, probe, index)
    length = len(subject.inputs) - probe.burn_in
    lags, components = log_components(subject)
    margins = components - lags[:, None] * bound
    return {
        "rho": spectral_radius(weight),
        "sigma_1": spectral_norm(weight),
        "gamma": GAMMA[subject.activation],
        "log_bound": bound,
        **_spread(growth),
        "growth_margin": float(growth.max() - bound) * length,
        "growth_error": error * length,
        "component_margin": float(margins[1:].max()),
        "component_lag": int(lags[1 + int(margins[1:].amax(1).argmax())]),
        "component_per_link": float(margins[-1].max() / lags[-1]),
        "rho_perturbed": _perturbed_radius(subject, probe, index),
        **_perturbed(subject, probe, index),
        "loss": subject.loss,
    }


def _spread(growth: Tensor) -> dict[str, float]:
    return {
        "growth": float(growth.mean()),
        "growth_low": float(growth.min()),
        "growth_high": float(growth.max()),
    }


def _growth(subject: Subject, probe: Probe, index: int) -> tuple[Tensor, float]:
    """Growth rate of each row, nats per link, and its numerical error."""
    chain = subject.chain()
    if probe.growth == "tangent":
        return tangent_growth(chain, probe.burn_in, stream=generator(probe.seed, index, "tangent")), 1e-14
    spectrum = product_spectrum(chain, probe.burn_in, k=1)
    length = chain.length - probe.burn_in
    return spectrum.log_singular_values[:, 0] / length, float(spectrum.error.max()) / length


def growth(subjects: Sequence[Subject], probe: Probe) -> pd.DataFrame:
    """Growth of the Jacobian product of each subject, of any architecture.

    Returns:
        One row a network: `network`; `growth`, `growth_low`, `growth_high`, `growth_perturbed`, `growth_perturbed_low`
        as in `spectral_conditions`.
    """
    rows = []
    for i, subject in enumerate(subjects):
        rows.append({"network": i, **_spread(_growth(subject, probe, i)[0]), **_perturbed(subject, probe, i)})
    return pd.DataFrame(rows)


def _perturbed(subject: Subject, probe: Probe, index: int) -> dict[str, float]:
    if probe.perturbation == 0:
        return {"growth_perturbed": math.nan, "growth_perturbed_low": math.nan}
    other = perturb(subject, probe.perturbation, generator(probe.seed, index, "perturbation"))
    growth, _ = _growth(other, probe, index)
    return {
        "growth_perturbed": float(growth.mean()),
        "growth_perturbed_low": float(growth.min()),
    }


def _perturbed_radius(subject: Subject, probe: Probe, index: int) -> float:
    if probe.perturbation == 0:
        return math.nan
    other = perturb(subject, probe.perturbation, generator(probe.seed, index, "perturbation"))
    return spectral_radius(other.network.weight)


def perturb(subject: Subject, relative: float, stream: torch.Generator) -> Subject:
    """The subject with W + relative |W|_F G / |G|_F, G Gaussian."""
    weight = subject.network.weight
    noise = torch.randn(weight.shape, generator=stream, dtype=weight.dtype)
    change = relative * weight.norm() / noise.norm() * noise
    twin = copy.deepcopy(subject.network.module)
    recurrent_weight(twin).detach().add_(change)
    return replace(subject, network=replace(subject.network, module=twin, weight=weight + change))


def component_lags(subjects: Sequence[Subject], *, most: int = 11) -> pd.DataFrame:
    """The decay of one error beside its bound: `error_decay` with `log_bound`, the mean of l log(gamma sigma_1)."""
    bound = float(np.mean([log_bound(s.activation, spectral_norm(s.network.weight)) for s in subjects]))
    decay = error_decay(subjects, most=most)
    decay.insert(5, "log_bound", decay["lag"] * bound)
    return decay


def float32_against_truth(subject: Subject) -> pd.DataFrame:
    """What float32 autograd shows of |dE_T/dh_t| of one subject, beside the truth.

    Returns:
        One row a state: `t`; `log10_norm`: the truth (log-domain adjoint in float64); `log10_float32`: logarithm of the
        float32 norm of float32 autograd's gradient; `zero_norm`: that norm is exactly 0; `zero_gradient`: every entry
        of the gradient itself is exactly 0.

    Cost: one stepped forward and backward pass with every state kept.
    """
    chain = subject.chain()
    truth = adjoint(chain.links, chain.direct_partials(subject.last_error)).log_norm[:, 0] / math.log(10)
    gradients = _autograd_float32(subject)
    norms = gradients.norm(dim=1)
    return pd.DataFrame(
        {
            "t": np.arange(len(truth)),
            "log10_norm": truth.numpy(),
            "log10_float32": norms.double().log10().numpy(),
            "zero_norm": (norms == 0).numpy(),
            "zero_gradient": (gradients == 0).all(dim=1).numpy(),
        }
    )


def _autograd_float32(subject: Subject) -> Tensor:
    """dE_T/dh_t of the first row by stepping the module in float32 with every state in the graph, `(T + 1, n)`."""
    module = copy.deepcopy(subject.network.module).float()
    inputs, state = subject.inputs[:, :1].float(), subject.start[:1].float().requires_grad_()
    states = [state]
    for x in inputs:
        h = states[-1]
        states.append(module(x[None], h[None])[0][0] if isinstance(module, nn.RNN) else module(x[None], h)[0])
    error = (states[-1] * subject.cotangent[:1].float()).sum()
    return torch.cat(torch.autograd.grad(error, states))
