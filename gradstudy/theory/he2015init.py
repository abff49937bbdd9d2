"""Rectifier networks initialised as in He et al., Delving deep into rectifiers (2015b): what one layer does."""

from __future__ import annotations

import math

import numpy as np
from scipy.special import digamma, gammaln


def quenched_rate(width: int) -> float:
    """E log of the factor on the squared gradient norm of one relu layer of n units, weights N(0, 2/n).

    The factor is (2/n) chi^2_K with K ~ Bin(n, 1/2) active units; K = 0 (all units dead) is left out. Its mean is 1,
    the mean of its logarithm about -5/(2n).
    """
    active = np.arange(1, width + 1)
    log_weight = gammaln(width + 1) - gammaln(active + 1) - gammaln(width - active + 1) - width * math.log(2)
    weight = np.exp(log_weight)
    mean = np.sum(weight * (digamma(active / 2) + math.log(2))) / weight.sum()
    return float(mean + math.log(2 / width))
