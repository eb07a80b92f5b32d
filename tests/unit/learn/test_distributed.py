"""Processes that train together: each takes its part of a batch, and all take the step of the whole."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

from facecap_addon.learn.engine.distributed import join_process_group
from tests.patience import PATIENCE_S

ROOT = Path(__file__).resolve().parents[3]
ONE_OF_TWO = """
import json, sys
sys.path.insert(0, {root!r})
import numpy as np
import torch
from facecap_addon.learn.engine.distributed import join_process_group

process_group = join_process_group()
network = torch.nn.Linear(1, 1, bias=False)
mine = process_group.share(np.arange(4))
together = process_group.wrap(network)
together(torch.tensor(mine, dtype=torch.float32)[:, None]).mean().backward()
said = [process_group.broadcast_stop(process_group.rank == who) for who in (0, 1)]
found = {{"mine": mine.tolist(), "gradient": float(network.weight.grad), "said": said, "first": process_group.is_main}}
open({folder!r} + f"/{{process_group.rank}}.json", "w").write(json.dumps(found))
process_group.leave()
"""


def test_alone_nothing_changes() -> None:
    alone = join_process_group()
    assert alone.is_main and alone.world_size == 1
    assert alone.share(np.arange(3)).tolist() == [0, 1, 2]
    assert alone.broadcast_stop(True) and not alone.broadcast_stop(False)


def test_two_take_the_step_that_one_would(tmp_path: Path) -> None:
    """The small version of the slow `test_two_processes_train_together`."""
    script = tmp_path / "one_of_two.py"
    script.write_text(ONE_OF_TWO.format(root=str(ROOT), folder=str(tmp_path)), encoding="utf-8")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    # What torchrun tells its processes.
    told = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "TORCHELASTIC_RUN_ID": "test"}
    both = [
        subprocess.Popen(
            [sys.executable, str(script)], stderr=subprocess.PIPE, env={**os.environ, **told, "RANK": rank}
        )
        for rank in ("0", "1")
    ]
    for process in both:
        _, said = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 0, said[-2000:]
    found = [json.loads((tmp_path / f"{rank}.json").read_text()) for rank in (0, 1)]
    assert [one["mine"] for one in found] == [[0, 2], [1, 3]]
    assert [one["first"] for one in found] == [True, False]
    # The mean over the whole batch, 1.5, not over one's own part; and what the first process says goes.
    assert [one["gradient"] for one in found] == pytest.approx([1.5, 1.5])
    assert [one["said"] for one in found] == [[True, False], [True, False]]
