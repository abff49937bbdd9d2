"""Growth of a vector under independent Gaussian matrices.

Oracles: adaptive integration over the density of chi^2; Monte Carlo of matrices and vectors; the first terms of the
asymptotic series.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import integrate, stats

from gradstudy.theory import cohen1984


@pytest.mark.parametrize("width", [1, 3, 20])
def test_against_integration(width):
    def moment(power):
        return integrate.quad(lambda u: (math.log(u / width) / 2) ** power * stats.chi2.pdf(u, width), 0, np.inf)[0]

    assert cohen1984.growth_rate(width) == pytest.approx(moment(1), rel=1e-5)
    assert cohen1984.growth_variance(width) == pytest.approx(moment(2) - moment(1) ** 2, rel=1e-5)


def test_against_matrices():
    rng = np.random.default_rng(0)
    factors = rng.standard_normal((20_000, 8, 8)) / math.sqrt(8)
    vectors = np.ones(8) / math.sqrt(8)  # whatever the direction
    logs = np.log(np.linalg.norm(factors @ vectors, axis=1))
    assert cohen1984.growth_rate(8) == pytest.approx(logs.mean(), abs=5 * logs.std() / math.sqrt(len(logs)))
    assert cohen1984.growth_variance(8) == pytest.approx(logs.var(), rel=0.05)


def test_large_matrices():
    assert cohen1984.growth_rate(1000) == pytest.approx(-1 / 2000, rel=1e-3)
    assert cohen1984.growth_variance(1000) == pytest.approx(1 / 2000, rel=2e-3)
    assert cohen1984.growth_rate(50) == pytest.approx(-0.01007, abs=1e-5)
