"""Claims B1-B6 of Bengio, Simard and Frasconi, Learning long-term dependencies with gradient descent, 1994.

The primary text was not at hand: statements are told from an annotated walk-through and from memory, and each says so.
"""

from __future__ import annotations

from gradstudy.claims import latches
from gradstudy.claims.claim import Claim, Control, Region, Verdict
from gradstudy.claims.conditions import TOLERANCE
from gradstudy.claims.depth import controls

IDENTITY = 1e-12
"""Nats: two ways to compute one derivative must agree so far."""

FALL = 0.02
"""Convergence frequency falls with T if it does so by more than this for every doubling."""

LEAD = -0.4
"""Guessing beats backpropagation with fewer than two thirds of its presentations (e^-0.4); see B4."""

DOUBLED = 0.7
"""Nats: a ball has more than doubled."""

_LATCH = "One tanh unit a_t = w tanh(a_t₋₁) + u_t, x = tanh(a). "
_TRAJECTORY = "an independent trajectory: the latch itself is fixed by w"
_BALLS = (
    "w = 1.05 to 4, no input. Γ is |a| > artanh √(1 − 1/w). Starts approach its border by halves down to 10⁻⁶ of it, "
    "and others are random; the ball, of a random radius, lies wholly on one side. The number is the {} of the "
    "logarithm of the radius, over the first, of the largest of 100 iterates. An image of an interval is the interval "
    "between the images of its ends, so nothing is approximated but by rounding. {}"
)
_LENGTH_CONTROLS = (
    Control(
        "length-matters-little",
        "all sequences have 5 steps, and 5 % a doubling of T of what has converged is struck out",
        Verdict.SUPPORTED,
    ),
    Control("length-does-not-matter", "all sequences have 5 steps, whatever T", Verdict.REFUTED),
)

CLAIMS = (
    Claim(
        id="B1a",
        source="bengio1994: the minimal latch",
        source_status="second-hand",
        kind="equality",
        statement="The gradient through a latch is the product of its slopes: |∂x_T/∂x_0| = Π w (1 − x_t²), on every "
        "trajectory.",
        setting=f"{_LATCH}In one dimension an identity, so this checks the measurement: autograd through 100 links "
        "beside the product, w = 1.05 to 2, with and without noise (s = 0.2), from starts in Γ. The number is the "
        "logarithm of their ratio on the trajectory where they differ most; the interval is the rounding of float64.",
        region=Region(-IDENTITY, IDENTITY),
        replicate=_TRAJECTORY,
        measure=latches.derivative_gap,
        controls=controls(
            "slope-hardly-off",
            "slope-off",
            "each of the 100 links hands back more gradient than it should, by a factor e^",
            "5·10⁻¹⁵",
            "1.5·10⁻¹⁴",
        ),
    ),
    Claim(
        id="B1b",
        source="bengio1994: the minimal latch, Theorem 4",
        source_status="second-hand; the closed form is computed here",
        kind="rate",
        statement="Without input the gradient of a latch vanishes exponentially, at the rate log w (1 − x̄²) of its "
        "attractor x̄.",
        setting=f"{_LATCH}w = 1.05 to 4, 20 starts in Γ each, 400 links to settle, then 200 that are measured. The "
        "number is the rate minus the closed form, in tolerances: 5 % of it or 0.01 nats per link, whichever is more; "
        "of the trajectory where it differs most. Deterministic: the interval is the rounding error.",
        region=Region(-1.0, 1.0),
        replicate=_TRAJECTORY,
        measure=latches.resting_rate_gap,
        controls=controls(
            "resting-slightly-off", "resting-off", "the gradient's rate is larger than it should be by", "2.5 %", "12 %"
        ),
    ),
    Claim(
        id="B1c",
        source="bengio1994: the minimal latch, Theorem 4",
        source_status="second-hand; the closed form is computed here",
        kind="rate",
        statement="With noise the gradient of a latch vanishes at the rate E log w (1 − x²) under the stationary law "
        "of its state.",
        setting=f"{_LATCH}u_t Gaussian with standard deviation 0.2, w = 1.05 to 4; 200 trajectories of 2,000 links "
        "after 400. The stationary law is that of the transition kernel, by quadrature. The number is the mean rate "
        "minus the law's, in tolerances as in B1b. With noise the rate is not that of the attractor: at w = 1.05 it "
        "is faster (−0.170 for −0.099), at w = 1.25 slower (−0.386 for −0.479; a latch that starts on its attractor "
        "has −0.392 over its first 100 links).",
        region=Region(-1.0, 1.0),
        replicate=_TRAJECTORY,
        measure=latches.noisy_rate_gap,
        controls=controls(
            "noisy-slightly-off", "noisy-off", "the gradient's rate is larger than it should be by", "2.5 %", "12 %"
        ),
    ),
    Claim(
        id="B2",
        source="bengio1994: the trade-off between latching and learning",
        source_status="second-hand",
        kind="comparison",
        statement="Robustness against noise is paid for with the gradient: a larger w makes the bit less likely to "
        "flip and the gradient vanish faster, at every step from w = 1.05 to 4.",
        setting=f"{_LATCH}Noise s = 0.2; the probability that the sign is wrong after 100 steps from the attractor, "
        "and the decay −E log w (1 − x²) under the stationary law. Both by quadrature of the transition kernel, since "
        "the probability falls to 10⁻⁸¹; where it is above 10⁻³, drawn trajectories must agree within 5 standard "
        "errors or nothing is decided. The number is the smallest change from one of the eight weights to the next, "
        "in tolerances: 5 % of the probability (down), 0.01 nats per link of decay (up). Deterministic: the interval "
        "is the numerical error, from a finer grid.",
        region=Region(low=1.0),
        replicate="a weight w (exact)",
        measure=latches.smallest_step,
        controls=(
            Control("noise-grows", "noise that grows as w^1.1505: the smallest step is 1.5", Verdict.SUPPORTED),
            Control("noise-grows-faster", "noise that grows as w^1.16: the smallest step is 0.5", Verdict.REFUTED),
        ),
    ),
    Claim(
        id="B3a",
        source="bengio1994: convergence of the minimal latch against T",
        source_status="second-hand",
        kind="comparison",
        statement="The longer the sequences, the fewer latches learn: the frequency with which backpropagation "
        "converges falls with T, for every learning rate.",
        setting=f"{_LATCH}s = 0.2, w₀ = 1.25, and three inputs h_t a class learnt with w (L = 3, from memory), cost ½ "
        "Σ (x_T − d)², d = ±0.8, plain gradient descent on one fresh sequence of each class an update. T = 5, 10, 20, "
        "50, 100; learning rates 0.01 to 3 in steps of about 3, fixed beforehand; h starts uniform on ±0.1 or ±0.5, "
        "the source's value being unknown. Converged: both classes right, by sign, at 100 updates in a row, within "
        "2,000 updates; runs that fail are censored there. T being fixed, a latch with w < −1, whose sign "
        "alternates, may be right as well. The number is the slope of the frequency on log₂ T, 200 seeds a "
        "condition; falls: by more than 0.02 a doubling.",
        region=Region(high=-FALL),
        replicate="a training seed, met at every T",
        measure=latches.convergence_slopes,
        controls=_LENGTH_CONTROLS,
    ),
    Claim(
        id="B3b",
        source="bengio1994: convergence of the minimal latch against T",
        source_status="second-hand",
        kind="comparison",
        statement="It falls with T even with the learning rate that is best for each T.",
        setting="As B3a; for each T the rate that converges most often on a quarter of the seeds, judged on the "
        "others.",
        region=Region(high=-FALL),
        replicate="a training seed, met at every T",
        measure=latches.best_convergence_slopes,
        controls=_LENGTH_CONTROLS,
    ),
    Claim(
        id="B4",
        source="hochreiter1997: section 5; schmidhuber2001; against bengio1994: comparison of methods",
        source_status="read (guessing); second-hand (the tasks)",
        kind="comparison",
        statement="Guessing weights at random solves the latch and the 2-sequence problem with fewer presentations "
        "than backpropagation.",
        setting="Noise uniform on ±0.2, lengths from T/2 to T, T = 20, 50, 100. Latch: 7 parameters; 2-sequence: 5 "
        "tanh units, 25 weights, three informative steps of ±1. Guesses are uniform on ±100, the range of those who "
        "made the claim (±1 and ±10 are shown); backpropagation starts from ±0.5, with the best of four learning "
        "rates, chosen for each T on a quarter of the seeds. Solved: 100 sequences in a row, then under 1 % of 1,000 "
        "others wrong. A forward pass is one presentation, a backward pass two. The number is the logarithm of the "
        "ratio of mean presentations, a search that fails counting as the whole budget of 6,000, which favours the "
        "one that fails more often. Beats: below two thirds, so that a backward pass counted as one would change "
        "nothing. The sequences are shorter than the 500 to 600 steps of the source, and the networks not quite its "
        "own.",
        region=Region(high=LEAD),
        replicate="a search, or a training seed",
        measure=latches.guessing_lead,
        controls=(
            Control("rival-worse", "the rival is a guesser that pays 2.25 for a presentation", Verdict.SUPPORTED),
            Control("rival-as-good", "the rival is a guesser as well", Verdict.REFUTED),
        ),
    ),
    Claim(
        id="B5a",
        source="bengio1994: Theorem 1",
        source_status="second-hand",
        kind="theorem",
        statement="Outside the reduced attracting set Γ a ball of uncertainty grows, so that what is held there is "
        "not held robustly.",
        setting=_LATCH
        + _BALLS.format(
            "least",
            "It is told as exponential growth; in the basin of an attractor that cannot last, and it ends where the "
            "ball enters Γ.",
        ),
        region=Region(low=0.0),
        replicate="a ball",
        measure=latches.least_growth_outside,
        controls=(
            Control("border-within", "starts are sorted by 0.98 times Γ's border", Verdict.SUPPORTED),
            Control("border-beyond", "starts are sorted by 1.02 times Γ's border", Verdict.REFUTED),
        ),
    ),
    Claim(
        id="B5b",
        source="bengio1994: Theorems 2 and 3",
        source_status="second-hand; from memory",
        kind="theorem",
        statement="Inside Γ a ball of uncertainty shrinks.",
        setting=_LATCH + _BALLS.format("largest", "For one unit; see B6b for two."),
        region=Region(high=0.0),
        replicate="a ball",
        measure=latches.largest_growth_inside,
        controls=(
            Control("border-beyond", "starts are sorted by 1.02 times Γ's border", Verdict.SUPPORTED),
            Control("border-within", "starts are sorted by 0.98 times Γ's border", Verdict.REFUTED),
        ),
    ),
    Claim(
        id="B6a",
        source="bengio1994: Theorem 4",
        source_status="second-hand",
        kind="theorem",
        statement="While a latch of one unit stays robustly latched, its gradient vanishes: ∂a_t/∂a_0 → 0 "
        "exponentially, whatever inputs come within 0.9 of the bound that keeps it so.",
        setting=f"{_LATCH}w = 1.25 to 4, inputs of at most 0.9 h*(w), the bound below which none can drive the state "
        "out of Γ: the worst (constantly against the bit), uniform, and random signs; every state is checked to be in "
        "Γ. The number is the rate closest to 0, over 300 links after 3,000; vanishes: below −0.01 nats per link. As "
        "the inputs come to h* the rate comes to 0, and at h* itself the gradient falls as a power of t only.",
        region=Region(high=-TOLERANCE),
        replicate=_TRAJECTORY,
        measure=latches.slowest_latched_rate,
        controls=(
            Control("inputs-larger", "inputs up to 0.9984 h*: the slowest rate is −0.015", Verdict.SUPPORTED),
            Control("inputs-as-large", "inputs up to 0.99982 h*: the slowest rate is −0.005", Verdict.REFUTED),
        ),
    ),
    Claim(
        id="B6b",
        source="against bengio1994: Definition 4 and Theorem 3",
        source_status="computed here; that the definition speaks of eigenvalues is second-hand",
        kind="existence",
        statement="If Γ is defined by eigenvalues, a ball of uncertainty may grow inside it: there is a latch of two "
        "units with balls wholly in Γ that more than double.",
        setting="a_t = W tanh(a_t₋₁) + b, W = [[1.6, 4.5], [−1.4, −0.9]], b = (4.5, −13), and draws within 1 % of it; "
        "two attractors. Balls of radius 0.05 with centres anywhere in a box of side 8; a ball counts if the "
        "derivatives of 60 iterates of the map have eigenvalues below 1 on all of its rim. The number is the "
        "logarithm of the largest image's radius over the first.",
        region=Region(low=DOUBLED),
        replicate="a latch",
        measure=latches.ball_growth,
        controls=(
            Control("uncoupled", "W diagonal, where eigenvalues are norms: theory excludes it", Verdict.INCONCLUSIVE),
        ),
    ),
    Claim(
        id="B6c",
        source="against bengio1994: Theorem 4",
        source_status="computed here; that the definition speaks of eigenvalues is second-hand",
        kind="existence",
        statement="If Γ is defined by eigenvalues, robustly latched does not imply that the gradient vanishes: there "
        "is a latch of two units whose state is in Γ at all times and whose ∂a_t/∂a_0 explodes.",
        setting="The latch of B6b, driven by inputs that alternate between two values, with a little noise (0.005), "
        "from random starts. Every counted state is checked: left to itself the latch would come to the same "
        "attractor, and all derivatives on the way have eigenvalues below 1. It counts if it grows by more than 0.01 "
        "nats a link over 2,000 links after 500, from every one of 50 starts, and by the same within 10 % under a "
        "1e-3 relative perturbation of W, under which it is as latched. For one unit this is impossible (B6a).",
        region=Region(low=TOLERANCE),
        replicate="a latch",
        measure=latches.latched_growth,
        controls=(
            Control(
                "left-to-itself",
                "no inputs: then the derivative is one of those whose eigenvalues are below 1, and theory excludes it",
                Verdict.INCONCLUSIVE,
            ),
        ),
    ),
)
