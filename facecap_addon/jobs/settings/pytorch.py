"""Where and how PyTorch computes: settings that refining and training have in common."""

from __future__ import annotations

from typing import Any

from ...settings_schema import setting

PRECISIONS = {
    "auto": ("Automatic", "What is fastest here without losing accuracy"),
    "fp32": ("32-Bit", "Full precision"),
    "bf16": ("16-Bit", "Less memory, faster on graphics cards and new processors"),
}
"""What can be chosen, and what it is called in the panel."""


def device_setting() -> Any:
    """The field of a settings dataclass that says where PyTorch computes."""
    return setting(
        "auto",
        help="Where PyTorch computes",
        choices=("auto", "cpu", "cuda"),
        choice_labels={
            "auto": ("Automatic", "The graphics card where there is one"),
            "cpu": ("CPU", "The processor"),
            "cuda": ("GPU (CUDA)", "An NVIDIA graphics card"),
        },
    )
