"""Pictures of these tests are small: torch's threads only wait for one another, and spin while they do."""

from __future__ import annotations

import importlib.util

if importlib.util.find_spec("torch") is not None:
    import torch

    torch.set_num_threads(1)
