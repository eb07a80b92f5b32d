"""The ARKit channels that landmarks hardly show."""

from __future__ import annotations

HARDLY_SHOWN = (
    *("cheekPuff", "noseSneerLeft", "noseSneerRight", "cheekSquintLeft", "cheekSquintRight"),
    *("mouthRollUpper", "mouthRollLower", "mouthPressLeft", "mouthPressRight", "mouthShrugUpper", "mouthShrugLower"),
    *("tongueOut", "browInnerUp", "jawLeft", "jawRight", "jawForward"),
    *("mouthDimpleLeft", "mouthDimpleRight", "mouthStretchLeft", "mouthStretchRight"),
)
"""Drawn often, and what the network is judged by."""
