"""Claims M1 and M2 of the mean field of random networks: Poole et al. 2016 and Schoenholz et al., ICLR 2017."""

from __future__ import annotations

from gradstudy.claims.claim import Claim, Region
from gradstudy.claims.depth import REPLICATE, annealed_gaps, controls

_POINT = ["activation", "sigma_w", "sigma_b"]
_SETTING = (
    "χ₁ = σ_w² E φ′(√q* z)² by quadrature, q* the fixed point of the variance of the pre-activations. tanh: ordered "
    "(σ_w, σ_b) = (0.9, 0.3), chaotic (1.5, 0.1) and (2, 0.1). ReLU, where χ₁ = σ_w²/2: ordered 1.2, chaotic 1.6. "
    "Networks of 50 layers of 512 units, started at q*, 64 networks a point."
)
_TOLERANCE = "minus log χ₁, in tolerances: 5 % of it or 0.01 nats per link, whichever is more."
_CONTROLS = controls(
    "chi-slightly-off",
    "chi-off",
    "ReLU with weights larger than the theory is told, so that log χ₁ differs by",
    "0.006",
    "0.029",
)

CLAIMS = (
    Claim(
        id="M1",
        source="poole2016: section 2.2; schoenholz2017: section 3",
        source_status="second-hand",
        kind="equality",
        statement="A small difference between two inputs grows by χ₁ per layer (squared norm, mean over networks): it "
        "dies out in the ordered phase χ₁ < 1 and grows in the chaotic phase χ₁ > 1.",
        setting=f"{_SETTING} The number is the rate of the mean squared norm of an infinitesimal difference of the "
        f"input {_TOLERANCE}",
        region=Region(-1.0, 1.0),
        replicate=REPLICATE,
        measure=annealed_gaps(_POINT, "log_forward"),
        controls=_CONTROLS,
    ),
    Claim(
        id="M2",
        source="schoenholz2017: section 4",
        source_status="second-hand",
        kind="equality",
        statement="The expected squared gradient changes by the same χ₁ per layer on the way back, so that it vanishes "
        "or explodes over a depth of 1/|log χ₁| layers.",
        setting=f"{_SETTING} The number is the rate of the mean squared gradient norm {_TOLERANCE}",
        region=Region(-1.0, 1.0),
        replicate=REPLICATE,
        measure=annealed_gaps(_POINT),
        controls=_CONTROLS,
    ),
)
