"""Which filter, and how strong: one choice for whole takes and for live curves.

It is plain data, of which flags and the panel's properties are made: nothing heavy is imported here.
"""

from __future__ import annotations

from dataclasses import dataclass

from ...errors import FacecapError

FILTERS = ("hybrid", "one-euro", "median", "none", "kalman-sg")
FILTER_LABELS = {
    "hybrid": ("Adaptive", "Smooths what is slow, keeps fast motion such as blinks"),
    "kalman-sg": ("Plain", "Kalman, then Savitzky-Golay and nothing else; blunts blinks"),
    "one-euro": ("One Euro", "Smooths less the faster the face moves"),
    "median": ("Median", "Removes single bad frames"),
    "none": ("None", "No smoothing"),
}
"""What the panel calls each, with a tooltip."""


@dataclass(frozen=True)
class FilterChoice:
    """A filter.

    Attributes:
        kind: one of FILTERS.  cutoff_hz: what is slower stays.  radius: frames on each side of a window.
        order: degree of Savitzky-Golay's polynomial.  delay: frames that a live filter may wait.
    """

    kind: str = "hybrid"
    cutoff_hz: float = 4.0
    radius: int = 3
    order: int = 2
    delay: int = 0

    def __post_init__(self) -> None:
        if self.kind not in FILTERS:
            raise FacecapError(f"There is no filter {self.kind!r}.", f"Choose one of {', '.join(FILTERS)}.")
        if not self.cutoff_hz > 0 or self.radius < 1 or not 0 <= self.order < 2 * self.radius + 1:
            raise FacecapError(
                "The filter's cut-off, radius and order do not fit.",
                "The cut-off is above 0 Hz, the radius at least 1, the order below the window of 2 × radius + 1.",
            )

    @property
    def waits(self) -> int:
        """Frames that the filter waits live before it answers.

        A median needs one after the frame it is of, and no more: of five frames or seven it would take a blink at 30
        frames per second for wild.
        """
        if self.kind == "median":
            return 1
        return min(self.delay, self.radius) if self.kind in ("hybrid", "kalman-sg") else 0

    def delay_ms(self, fps: float) -> float:
        """How late a live value is because of the filter, at a frame rate."""
        return 1000 * self.waits / fps
