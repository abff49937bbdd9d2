"""Under DistributedDataParallel.

Oracle: what clip_grad_norm_ returns on each process, after the average over processes.
"""

from __future__ import annotations

import subprocess
import sys

SCRIPT = """
import sys, torch, gradstudy as gs
from torch import distributed, nn

rank = int(sys.argv[1])
distributed.init_process_group("gloo", init_method=f"file://{sys.argv[2]}", rank=rank, world_size=2)
torch.manual_seed(0)
model = nn.parallel.DistributedDataParallel(nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1)))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
with gs.track(model, optimizer) as tracker:
    for step in range(2):
        optimizer.zero_grad()
        model(torch.full((2, 3), float(rank + 1))).pow(2).sum().backward()
        norm = nn.utils.clip_grad_norm_(model.parameters(), 0.5).item()
        optimizer.step()
        tracker.step()
        rows = {row.quantity: row.value for row in tracker.latest}
        assert abs(rows["total_gradient"] - norm) < 1e-5 * norm, (rows, norm)
        assert abs(rows["clip_factor"] - 0.5 / (norm + 1e-6)) < 1e-5, rows
distributed.destroy_process_group()
"""


def test_norms_are_those_of_the_averaged_gradients(tmp_path):
    commands = [[sys.executable, "-c", SCRIPT, str(rank), str(tmp_path / "meeting")] for rank in range(2)]
    processes = [subprocess.Popen(c, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) for c in commands]
    for process in processes:
        said, _ = process.communicate(timeout=120)
        assert process.returncode == 0, said
