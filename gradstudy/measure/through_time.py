"""How gradients fare through time, as tables over networks and stages of training."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import pandas as pd
import torch
from torch import Tensor, nn

from gradstudy.chains.chain import Chain
from gradstudy.chains.gru import GATES, GRULinks, TextbookGRULinks
from gradstudy.chains.lstm import LSTMLinks
from gradstudy.chains.vanilla import VanillaLinks
from gradstudy.measure.cell_path import cell_path
from gradstudy.measure.error_decay import error_decay, interval, rate, spread
from gradstudy.measure.gate_statistics import gate_statistics
from gradstudy.measure.gradient_flow import gradient_flow
from gradstudy.measure.gradient_norms import gradient_norms
from gradstudy.measure.jacobian_spectra import jacobian_spectra
from gradstudy.measure.lyapunov_exponents import lyapunov_exponents
from gradstudy.measure.subject import Subject
from gradstudy.measure.temporal_components import TemporalComponents, temporal_components
from gradstudy.models.textbook_gru import TextbookGRU

Stages = Mapping[str, Sequence[Subject]]
"""Networks "before" training and, if there is one, "after" it; index i is the same network in both."""


def signals(stages: Stages, *, most: int = 11) -> pd.DataFrame:
    """Decay of one error with the lag: `error_decay` of each stage, with the column `stage` in front."""
    return _by_stage({stage: error_decay(subjects, most=most) for stage, subjects in stages.items()})


def pairs(stages: Stages, references: Mapping[str, Stages]) -> pd.DataFrame:
    """Rates of networks beside those of the vanilla RNNs of the same index.

    Returns:
        One row a stage, reference and network: `stage`, `reference`, `network`, `rate`, `reference_rate`; nats per
        link.
    """
    rows = []
    for reference, others in references.items():
        for stage, subjects in stages.items():
            for i, (subject, other) in enumerate(zip(subjects, others[stage], strict=True)):
                found = {"rate": rate(subject), "reference_rate": rate(other)}
                rows.append({"stage": stage, "reference": reference, "network": i, **found})
    return pd.DataFrame(rows)


def weight_gradients(stages: Stages) -> dict[str, list[TemporalComponents]]:
    """Temporal components of the task's training loss, one a network, by stage."""
    return {
        stage: [temporal_components(subject.chain(), _training_loss(subject)) for subject in subjects]
        for stage, subjects in stages.items()
    }


def networks(
    stages: Stages, gradients: Mapping[str, Sequence[TemporalComponents]], *, burn_in: int = 0
) -> pd.DataFrame:
    """What is measured of each network at each stage.

    Args:
        stages: of the networks.
        gradients: their `weight_gradients`.
        burn_in: links that the Lyapunov exponent does not count.

    Returns:
        One row a stage and network: `stage`; `network`; `rate`: see `error_decay.rate`; `largest_sigma_1`: of the
        one-step Jacobians, over links and rows; `exponent`, `exponent_stderr`: the largest Lyapunov exponent, nats per
        link; `decay_length` of the flow matrix, links; of the task's training loss L: `far_share`: sum over lags l >=
        T/2 of |G_l| over the sum over all lags, `cancellation`: |dL/dW_hh| / sum |G_l|, `log_weight_gradient`: log
        |dL/dW_hh|, `log_first_over_last`: log |dL/ds_1| - log |dL/ds_T|, over all rows together; `cell_path_rate`: of
        an LSTM the mean over rows and units of the log of the product of the forget gates, divided by T,
        `best_cell_rate`: the same of each row's best unit, `jacobian_rate`: log spectral norm of ds_T/ds_0, mean over
        rows, divided by T; `log_gate`: mean over units of log sigmoid(b), b the bias with which the retaining gate is
        said to have been drawn; `retention`: mean of the retaining gate over links, rows and units; `saturation`: part
        of the tanh, over links, rows and units, that lie beyond +-0.99: of the state (RNN), the cell (LSTM) or the
        candidate (GRU); `task_loss`, `trivial_loss`. What a network does not have is NaN.

    Cost: a spectrum of every one-step Jacobian and a QR sweep a network, which dominate.
    """
    return _by_stage(
        {
            stage: pd.DataFrame(
                {"network": i, **_row(subject, burn_in), **_weights(subject, parts)}
                for i, (subject, parts) in enumerate(zip(subjects, gradients[stage], strict=True))
            )
            for stage, subjects in stages.items()
        }
    )


def exponents(stages: Stages, *, burn_in: int = 0, most: int = 17) -> pd.DataFrame:
    """Lyapunov spectra, mean over networks.

    Returns:
        One row a stage and index (at most `most`, evenly spread): `stage`; `index`, from 0; `position`: the index
        divided by n - 1, so that spectra of different sizes can be laid over each other; `exponent` in nats per link,
        `low`, `high`: its 95 % Student interval over networks; `n` networks.
    """
    return _by_stage({stage: _exponents(subjects, burn_in, most) for stage, subjects in stages.items()})


def components(gradients: Mapping[str, Sequence[TemporalComponents]], *, most: int = 11) -> pd.DataFrame:
    """Shares of the lags in the gradient of the recurrent weights, mean over networks, from their `weight_gradients`.

    Returns:
        One row a stage and lag (at most `most`, evenly spread over 0 .. T - 1): `stage`; `lag`; `absolute_share` =
        |G_l| / sum |G_l|, `low`, `high`: its 95 % Student interval over networks; `n` networks; `share`: mean of
        <G_l, G> / |G|^2; `beyond`: mean of the absolute share of this and all farther lags.
    """
    return _by_stage({stage: _components(parts, most) for stage, parts in gradients.items()})


def flow(stages: Stages, *, most: int = 25) -> pd.DataFrame:
    """Flow matrix of network 0: log spectral norm of ds_t / ds_k, mean over rows.

    Returns:
        One row a stage and pair k <= t (at most `most` of each, evenly spread): `stage`, `t`, `k`, `log_flow`.
    """
    return _by_stage({stage: _flow(subjects[0], most) for stage, subjects in stages.items()})


def _by_stage(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """The tables of all stages below each other, with the column `stage` in front."""
    named = [pd.concat({stage: table}, names=["stage"]).reset_index("stage") for stage, table in tables.items()]
    return pd.concat(named, ignore_index=True)


def _row(subject: Subject, burn_in: int) -> dict[str, float]:
    chain = subject.chain()
    top = lyapunov_exponents(chain, k=1, burn_in=burn_in)
    return {
        "rate": rate(subject),
        "largest_sigma_1": float(jacobian_spectra(chain, k=1).singular_values.max()),
        "exponent": float(top.exponents[0]),
        "exponent_stderr": float(top.stderr[0]),
        "decay_length": gradient_flow(chain, every=_stride(chain.length, 20)).decay_length,
        **_gates(subject, chain),
        "saturation": _saturation(chain),
        "task_loss": subject.loss,
        "trivial_loss": subject.trivial_loss,
    }


def _weights(subject: Subject, parts: TemporalComponents) -> dict[str, float]:
    """What the task's training loss tells the recurrent weights, and the first state beside the last."""
    norms = gradient_norms(subject.chain(), _training_loss(subject)).log_norm_total
    share = parts.absolute_share
    return {
        "far_share": float(share[(len(share) + 1) // 2 :].sum()),
        "cancellation": parts.cancellation,
        "log_weight_gradient": parts.log_total,
        "log_first_over_last": float(norms[1] - norms[-1]),
    }


def _training_loss(subject: Subject) -> Callable[[Tensor], Tensor]:
    if subject.criterion is None:
        raise ValueError("a subject without a task has no training loss; use trained_subjects")
    return subject.criterion


def _gates(subject: Subject, chain: Chain) -> dict[str, float]:
    """Rate of the cell path, and what the retaining gate is said to do and does."""
    network, module = subject.network, subject.network.module
    mean_path = best_path = full = retention = log_gate = math.nan
    if isinstance(chain.links, LSTMLinks):
        path = cell_path(chain)
        sources = (path.log_factor, path.log_norm, path.log_norm_full)
        mean_path, best_path, full = (float(values[0].mean()) / chain.length for values in sources)
    if network.gate_bias is not None:
        log_gate = float(nn.functional.logsigmoid(network.gate_bias).mean())
        statistics = gate_statistics(chain)
        gate = statistics.names.index("forget" if isinstance(module, nn.LSTM) else "update")
        mean = float(statistics.mean[:, gate].mean())
        retention = 1 - mean if isinstance(module, TextbookGRU) else mean
    return {
        "cell_path_rate": mean_path,
        "best_cell_rate": best_path,
        "jacobian_rate": full,
        "log_gate": log_gate,
        "retention": retention,
    }


def _saturation(chain: Chain) -> float:
    """Part of the tanh of the states, cells or candidates that lie beyond +-0.99: nothing passes their slopes."""
    links = chain.links
    if isinstance(links, VanillaLinks):
        squashed = torch.stack([*chain.states[1:]])
    elif isinstance(links, LSTMLinks):
        squashed = links.cells.tanh()
    elif isinstance(links, GRULinks | TextbookGRULinks):
        squashed = links.gates[:, :, GATES.index("candidate")]
    else:
        return math.nan
    return float((squashed.abs() > 0.99).double().mean())


def _exponents(subjects: Sequence[Subject], burn_in: int, most: int) -> pd.DataFrame:
    spectra = [lyapunov_exponents(subject.chain(), burn_in=burn_in).exponents.tolist() for subject in subjects]
    size = len(spectra[0])
    return pd.DataFrame(
        {"index": i, "position": i / max(size - 1, 1), **interval("exponent", [spectrum[i] for spectrum in spectra])}
        for i in spread(size, most)
    )


def _components(parts: Sequence[TemporalComponents], most: int) -> pd.DataFrame:
    absolute = torch.stack([part.absolute_share for part in parts])
    share = torch.stack([part.share for part in parts]).mean(0)
    beyond = absolute.flip(1).cumsum(1).flip(1).mean(0)
    return pd.DataFrame(
        {
            "lag": lag,
            **interval("absolute_share", absolute[:, lag].tolist()),
            "share": float(share[lag]),
            "beyond": float(beyond[lag]),
        }
        for lag in spread(absolute.shape[1], most)
    )


def _flow(subject: Subject, most: int) -> pd.DataFrame:
    chain = subject.chain()
    found = gradient_flow(chain, every=_stride(chain.length, most))
    times, flow = found.times, found.mean
    pairs = [(i, j) for i in range(len(times)) for j in range(i + 1)]
    return pd.DataFrame({"t": times[i], "k": times[j], "log_flow": float(flow[i, j])} for i, j in pairs)


def _stride(length: int, most: int) -> int:
    """The least stride with at most `most` strides in a length."""
    return -(-length // most)
