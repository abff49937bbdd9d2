"""Growth of a vector under independent Gaussian matrices: Cohen and Newman, Annals of Probability, 1984.

A matrix W of n rows with entries N(0, 1/n) takes a unit vector, whatever its direction, to one of squared length
chi^2_n / n. The factors of independent matrices are therefore independent, and log |W_T ... W_1 v| is a sum of T
independent terms with the mean and the variance given here, at any n and T.
"""

from __future__ import annotations

import math

from scipy.special import digamma, polygamma

SPREAD_EXPONENTS = {"tied": 1.0, "independent": 0.5}
"""With which power of T the spread over draws of log |P v| grows.

For P = W^T, whose draws differ in log rho(W) at every step, and P = W_T ... W_1, where independent terms are added.
"""


def growth_rate(width: int) -> float:
    """E log |W v| = (psi(n/2) + log(2/n)) / 2, in nats a factor: about -1/(2n)."""
    return float(digamma(width / 2) + math.log(2 / width)) / 2


def growth_variance(width: int) -> float:
    """Variance of log |W v|, psi'(n/2) / 4, in squared nats a factor: about 1/(2n)."""
    return float(polygamma(1, width / 2)) / 4
