"""What the measurements say to arguments that are something else.

Run in a process of its own, where signatures are not checked by beartype as they are in the tests, as a user has them.
"""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import torch, gradstudy as gs
from gradstudy.errors import GradstudyError

rnn, x, conv = torch.nn.RNN(3, 4), torch.randn(6, 2, 3), torch.nn.Conv2d(3, 4, 3)
lines, points = [torch.nn.Linear(3, 1) for _ in range(3)], torch.randn(4, 3)
before = [p.clone() for p in rnn.parameters()]
random = torch.random.get_rng_state()
chain, found = gs.time_chain(rnn, x), gs.chains(rnn, x)
norms = gs.gradient_norms(chain, lambda out: out.sum())
loss = lambda out: out.sum()
calls = {
    f"{name} of {thing!r}": (getattr(gs, name), (thing, *rest))
    for thing in (3, None, rnn, found)
    for name, *rest in (
        ("gradient_norms", loss), ("temporal_components", loss), ("pascanu_omega", loss), ("jacobian_spectra",),
        ("lyapunov_exponents",), ("gradient_flow",), ("block_norms",), ("cell_path",), ("gate_statistics",),
        ("steps_in_the_past",), ("product_spectrum",),
    )
}
calls |= {f"k={k!r}": (lambda k=k: gs.jacobian_spectra(chain, k=k), ()) for k in (0, 5, 2.0, "a", True)}
bases = (3, [[1]], x[0].long(), torch.ones(4, 0))
calls |= {f"basis {b!r}": (lambda b=b: gs.lyapunov_exponents(chain, basis=b), ()) for b in bases}
calls |= {f"bound {b!r}": (lambda b=b: gs.steps_in_the_past(norms, b), ()) for b in ("a", None, 0.0, float("nan"))}
calls |= {f"omega {b!r}": (lambda b=b: gs.pascanu_omega(chain, loss, "code", b), ()) for b in ("a", None, True)}
calls |= {f"jvp {v!r}": (chain.jvp, (1, v)) for v in (3, [1], torch.ones(2, 4).double(), torch.ones(2, 4).long())}
sizes = (8, None, (3, 8.0, 8), (3, True, 8), (3, "8", 8), "388")
calls |= {f"size {v!r}": (gs.convolution_spectrum, (conv, v)) for v in sizes}
calls |= {f"convolution {v!r}": (gs.convolution_spectrum, (v, (3, 8, 8))) for v in (3, None, chain, rnn)}
calls |= {f"of k {v!r}": (gs.convolution_spectrum, (conv, (3, 8, 8), v)) for v in (2.0, "a", True)}
calls |= {f"method {v!r}": (gs.convolution_spectrum, (conv, (3, 8, 8), None, v)) for v in (3, None, ["fft"])}
moments = lambda *a, **k: gs.jacobian_moments(*a, **({"seed": 0} | k))
calls |= {f"moments of {v!r}": (moments, (v,)) for v in (3, None, rnn, found)}
calls |= {f"probes {v!r}": (lambda v=v: moments(chain, probes=v), ()) for v in (1, 0, 2.0, "a", True, None)}
calls |= {f"seed {v!r}": (lambda v=v: moments(chain, seed=v), ()) for v in (-1, 2.0, "a", True, None)}
calls |= {f"start {v!r}": (moments, (chain, v)) for v in (-1, 6, 2.0, "a", None)}
calls |= {f"stop {v!r}": (moments, (chain, 2, v)) for v in (2, 7, 2.5, "a")}
wrong = (3, None, chain, lines[0], torch.nn.Sequential(*lines), [3, 4], [lines[0], None], [])
calls |= {f"models {v!r}": (gs.gradient_correlation, (v, points)) for v in wrong}
unfit = (3, None, [[1.0]], points.long(), points[0, 0])
calls |= {f"points {v!r}": (gs.gradient_correlation, (lines, v)) for v in unfit}
calls |= {f"output {v!r}": (lambda v=v: gs.gradient_correlation(lines, points, output=v), ()) for v in (3, "a")}
calls |= {f"loss {v!r}": (gs.gradient_norms, (chain, v)) for v in (None, 3, lambda out: None, lambda out: out)}
for name, (function, arguments) in calls.items():
    try:
        function(*arguments)
    except GradstudyError as error:
        assert error.remedy and error.needed, name
    else:
        raise AssertionError(f"{name} went through")
assert all(torch.equal(p, b) and p.grad is None for p, b in zip(rnn.parameters(), before))
assert not rnn._forward_hooks and rnn.training and torch.equal(torch.random.get_rng_state(), random)
"""


def test_every_argument_of_another_kind_is_named_and_leaves_nothing_behind():
    ended = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
