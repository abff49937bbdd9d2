"""The minimal latch of Bengio, Simard and Frasconi (1994): a_t = w tanh(a_{t-1}) + u_t, one unit that keeps one bit.

For w > 1 and no input there are two attractors, one a sign, and 0 is unstable between them. M(a) = w tanh(a) has the
derivative w (1 - x^2) with x = tanh(a), which is also that of x_t by x_{t-1} at the *new* x. Where it is below 1 the
map contracts, and all later iterates with it: this is the reduced attracting set Gamma, |a| > artanh sqrt(1 - 1/w).

With Gaussian noise u_t of standard deviation s the state is a Markov chain on the line. Its kernel is smooth, so that
sums on an even grid converge faster than any power of the spacing, and every term is positive: small probabilities come
out to relative, not absolute, accuracy.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special

Values = NDArray[np.float64]

POINTS = 8
"""Grid points a standard deviation of the noise; the truth is rounding away at 6."""

_TAIL = 12.0  # standard deviations beyond the largest |w tanh(a)|: what is cut off has a probability of 1e-33
_SETTLED = 1e-15
_MOST_STEPS = 200_000


def fixed_point(weight: float, drive: float = 0.0) -> float:
    """The stable fixed point a > 0 of a = w tanh(a) + drive: the attractor that holds a positive bit.

    NaN if there is none: w <= 1, or a drive of -h* or below (`input_threshold`).
    """
    if weight <= 1 or drive <= -input_threshold(weight):
        return math.nan
    # Above the border of Gamma w tanh(a) + drive - a falls, from a positive value to a negative one.
    ends = gamma_border(weight), weight + drive + 1
    return float(optimize.brentq(lambda a: weight * math.tanh(a) + drive - a, *ends, xtol=1e-15))


def gamma_border(weight: float) -> float:
    """artanh sqrt(1 - 1/w): the |a| above which M contracts, now and at every later iterate; NaN for w <= 1."""
    return math.atanh(math.sqrt(1 - 1 / weight)) if weight > 1 else math.nan


def input_threshold(weight: float) -> float:
    """h*(w) = w sqrt(1 - 1/w) - artanh sqrt(1 - 1/w): the constant input above which only one attractor is left.

    Also the bound on inputs that never drive a state out of Gamma. NaN for w <= 1.
    """
    return weight * math.sqrt(1 - 1 / weight) - gamma_border(weight) if weight > 1 else math.nan


def resting_rate(weight: float, drive: float = 0.0) -> float:
    """log w (1 - x^2) at the stable fixed point under a constant drive: nats a link, below 0; NaN if there is none.

    Without a drive the rate at which |da_t/da_0| falls once the latch has settled; with a drive of -b the slowest that
    inputs of at most b can make it (for large t), since no state then comes nearer to the border of Gamma.
    """
    return float(log_slope(weight, np.array(fixed_point(weight, drive)))) if weight > 1 else math.nan


def flip_probability(weight: float, noise: float, steps: int, *, points: int = POINTS) -> float:
    """P(a_T < 0): that the bit reads wrong after T noisy steps from the attractor a > 0.

    The last step is exact (a normal distribution function), the ones before are sums over the grid.

    Args:
        weight: w > 1.
        noise: standard deviation s of the inputs.
        steps: T, at least 2.
        points: grid points a standard deviation.

    Cost: T products of a matrix of (2 (w + 12 s) points / s)^2 with a vector.
    """
    grid = _grid(weight, noise, points)
    wrong = special.ndtr(-weight * np.tanh(grid) / noise)
    kernel = _density(weight, noise, grid, grid) * (noise / points)
    for _ in range(steps - 2):
        wrong = kernel @ wrong
    start = np.array([fixed_point(weight)])
    return float((_density(weight, noise, start, grid) @ wrong)[0] * (noise / points))


def noisy_rate(weight: float, noise: float, *, points: int = POINTS) -> float:
    """E log w (1 - x^2) under the stationary law: the rate of |da_t/da_0| with noise, in nats a link.

    The law is even, so one well's share says all; it is found by iterating the kernel on even densities, from a normal
    one, until nothing changes.

    Raises:
        ValueError: the law is not found in 200,000 steps.
    """
    grid = _grid(weight, noise, points)
    kernel = _density(weight, noise, grid, grid)
    even = kernel + kernel[:, ::-1]
    density = np.exp(-(grid**2) / 2)
    density /= density.sum()
    for _ in range(_MOST_STEPS):
        following = density @ even
        following /= following.sum()
        if np.abs(following - density).max() <= _SETTLED:
            return float(following @ log_slope(weight, grid))
        density = following
    raise ValueError(f"w = {weight:g}, s = {noise:g}: no stationary law after {_MOST_STEPS} steps")


def log_slope(weight: float, a: Values) -> Values:
    """log M'(a) = log w (1 - tanh(a)^2), to full relative accuracy where tanh saturates."""
    size = np.abs(a)
    return math.log(weight) - 2 * (size + np.log1p(np.exp(-2 * size)) - math.log(2))


def _grid(weight: float, noise: float, points: int) -> Values:
    spacing = noise / points
    half = math.ceil((abs(weight) + _TAIL * noise) / spacing)
    return spacing * np.arange(-half, half + 1, dtype=np.float64)


def _density(weight: float, noise: float, before: Values, after: Values) -> Values:
    """Density of each state `after`, one link from each state `before`, `(before, after)`."""
    deviation = (after[None, :] - weight * np.tanh(before)[:, None]) / noise
    return np.exp(-(deviation**2) / 2) / (noise * math.sqrt(2 * math.pi))
