"""The kinds of edits there are: what each does and the numbers it takes.

They are plain data, from which files, command line and Blender's properties are derived; `operations` carries them out.
Fields that are declared by `setting` are single values; the others are lists of channels, of points or of weights.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from ...settings_schema import setting
from ..filters.options import FILTER_LABELS, FILTERS, FilterChoice

REGIONS = ("all", "brows", "eyes", "gaze", "nose", "cheeks", "mouth", "jaw", "tongue")
"""What an edit can work on. The eyes are lids here: where they look is *gaze*, together with the take's own angles."""
SIDES = ("both", "left", "right")
Points = tuple[tuple[float, float], ...]
Levels = tuple[tuple[str, float], ...]

_SMOOTHING = tuple(kind for kind in FILTERS if kind != "none")
_REGION_LABELS = {
    "all": ("All", "Every channel that the edit is meant for"),
    "eyes": ("Eyes", "Lids: blink, squint and wide"),
    "gaze": ("Gaze", "Where the eyes look"),
}


@dataclass(frozen=True, kw_only=True)
class Edit:
    """What all edits have.

    Attributes:
        channels: names of channels to work on, instead of a region; ARKit's or the character's own.
        spared: groups that a region of "all" leaves alone, "gaze" or "blinks": for them, they are named.
    """

    kind: ClassVar[str] = ""
    label: ClassVar[str] = ""
    about: ClassVar[str] = ""
    spared: ClassVar[tuple[str, ...]] = ()

    name: str = setting("", help="What you call the edit")
    on: bool = setting(True, help="Whether the edit counts", label="On")
    solo: bool = setting(False, help="Of a stack with solo edits, only these count", label="Solo")
    region: str = setting(
        "all", help="Part of the face that is edited", choices=REGIONS, choice_labels=_REGION_LABELS, label="Region"
    )
    side: str = setting(
        "both",
        help="Side of the character's face; with one side, channels without a side stay as they are",
        choices=SIDES,
        label="Side",
    )
    start_s: float | None = setting(None, help="First time of the footage that is edited", unit="s")
    end_s: float | None = setting(None, help="Last time of the footage that is edited", unit="s")
    blend_in_s: float = setting(0.0, help="How long the edit takes to come in", unit="s", min=0.0, label="Blend In")
    blend_out_s: float = setting(0.0, help="How long the edit takes to go", unit="s", min=0.0, label="Blend Out")
    channels: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Calibration(Edit):
    """What the actor shows at rest is taken away. Attributes: `levels` at rest by channel, instead of a frame's."""

    kind: ClassVar[str] = "calibration"
    label: ClassVar[str] = "Calibration"
    about: ClassVar[str] = "Take away what the face shows at rest"
    spared: ClassVar[tuple[str, ...]] = ("gaze",)

    neutral_s: float = setting(0.0, help="Time at which the face is at rest", unit="s", label="Neutral Time")
    strength: float = setting(1.0, help="How much of it is taken away", min=0.0, max=1.0)
    keep_full: bool = setting(
        True, help="Stretch the rest of each channel, so that a full expression stays full", label="Keep Full Range"
    )
    levels: Levels = ()


@dataclass(frozen=True, kw_only=True)
class Gain(Edit):
    """Stronger or weaker."""

    kind: ClassVar[str] = "gain"
    label: ClassVar[str] = "Gain"
    about: ClassVar[str] = "Exaggerate or tone down; gaze and blinks only where they are chosen"
    spared: ClassVar[tuple[str, ...]] = ("gaze", "blinks")

    factor: float = setting(1.0, help="Factor on every weight", min=0.0, max=10.0)


@dataclass(frozen=True, kw_only=True)
class Offset(Edit):
    """A constant more or less."""

    kind: ClassVar[str] = "offset"
    label: ClassVar[str] = "Offset"
    about: ClassVar[str] = "Add the same amount in every frame"
    spared: ClassVar[tuple[str, ...]] = ("gaze", "blinks")

    amount: float = setting(0.0, help="What is added to every weight", min=-2.0, max=2.0)


@dataclass(frozen=True, kw_only=True)
class Clamp(Edit):
    """Never below, never above."""

    kind: ClassVar[str] = "clamp"
    label: ClassVar[str] = "Clamp"
    about: ClassVar[str] = "Keep weights between two values"

    low: float = setting(0.0, help="Smallest weight", min=-10.0, max=10.0)
    high: float = setting(1.0, help="Largest weight", min=-10.0, max=10.0)


@dataclass(frozen=True, kw_only=True)
class Mirror(Edit):
    """Sides exchanged, or one copied to the other."""

    kind: ClassVar[str] = "mirror"
    label: ClassVar[str] = "Mirror"
    about: ClassVar[str] = "Exchange the sides of the face, or copy one to the other"

    mode: str = setting(
        "swap",
        help="What goes where",
        choices=("swap", "left to right", "right to left"),
        choice_labels={"swap": ("Exchange Sides", "The whole performance as in a mirror")},
    )
    head: bool = setting(False, help="Mirror the head's motion, too, when sides are exchanged", label="Also Head")


@dataclass(frozen=True, kw_only=True)
class Balance(Edit):
    """Left against right."""

    kind: ClassVar[str] = "balance"
    label: ClassVar[str] = "Balance"
    about: ClassVar[str] = "Make the sides more alike, or one stronger than the other"
    spared: ClassVar[tuple[str, ...]] = ("gaze", "blinks")

    symmetry: float = setting(0.0, help="0 leaves the sides as they are, 1 makes them alike", min=0.0, max=1.0)
    balance: float = setting(
        0.0, help="Above 0 the left side is stronger and the right weaker, below 0 the other way", min=-1.0, max=1.0
    )


@dataclass(frozen=True, kw_only=True)
class Filter(Edit):
    """Curves smoothed."""

    kind: ClassVar[str] = "filter"
    label: ClassVar[str] = "Filter"
    about: ClassVar[str] = "Smooth the curves; what is closed stays closed"

    filter: str = setting("hybrid", help="How the curves are smoothed", choices=_SMOOTHING, choice_labels=FILTER_LABELS)
    cutoff_hz: float = setting(
        4.0, help="Motion slower than this is kept; less is smoother", unit="Hz", min=0.1, max=60.0, label="Cut-Off"
    )
    radius: int = setting(
        3, help="Frames before and after each one that the filter looks at", min=1, max=60, label="Frames Around"
    )
    order: int = setting(2, help="Degree of the polynomial in a window", min=0, max=5)

    def __post_init__(self) -> None:
        self.choice()

    def choice(self) -> FilterChoice:
        """The filter. Raises FacecapError where its numbers do not fit."""
        return FilterChoice(self.filter, self.cutoff_hz, self.radius, self.order)


@dataclass(frozen=True, kw_only=True)
class LipSeal(Edit):
    """Lips closed where the solve has them closed."""

    kind: ClassVar[str] = "lip-seal"
    label: ClassVar[str] = "Lip Seal"
    about: ClassVar[str] = "Lips that the solve has closed stay closed, and do not pass through each other"

    strength: float = setting(1.0, help="How much of the gap is closed", min=0.0, max=1.0)
    part: bool = setting(
        True,
        help="Part lips that pass through each other; needs the character's mesh",
        label="Part Overlapping Lips",
    )


@dataclass(frozen=True, kw_only=True)
class LidContact(Edit):
    """Lids closed where the solve has them closed."""

    kind: ClassVar[str] = "lid-contact"
    label: ClassVar[str] = "Lid Contact"
    about: ClassVar[str] = "Lids that the solve has closed stay closed, and do not pass through each other"

    strength: float = setting(1.0, help="How much of the gap is closed", min=0.0, max=1.0)
    part: bool = setting(
        True,
        help="Part lids that pass through each other; needs the character's mesh",
        label="Part Overlapping Lids",
    )


@dataclass(frozen=True, kw_only=True)
class Blink(Edit):
    """Blinks stronger or weaker."""

    kind: ClassVar[str] = "blink"
    label: ClassVar[str] = "Blink Strength"
    about: ClassVar[str] = "Close lids further or less far, never further than shut"

    strength: float = setting(
        1.0,
        help="Above 1 half-closed lids close further, shut ones stay shut; below 1 lids close less",
        min=0.0,
        max=5.0,
    )


@dataclass(frozen=True, kw_only=True)
class Remap(Edit):
    """A curve from weight to weight. Attributes: `points` (weight, new weight), in order of the first."""

    kind: ClassVar[str] = "remap"
    label: ClassVar[str] = "Remap Curve"
    about: ClassVar[str] = "Send weights through a curve"
    spared: ClassVar[tuple[str, ...]] = ("gaze", "blinks")

    smooth: bool = setting(False, help="A smooth curve through the points instead of straight lines")
    points: Points = ((0.0, 0.0), (1.0, 1.0))


@dataclass(frozen=True, kw_only=True)
class Hold(Edit):
    """A moment's value, kept."""

    kind: ClassVar[str] = "hold"
    label: ClassVar[str] = "Hold"
    about: ClassVar[str] = "Freeze the face as it is at one time"

    at_s: float = setting(0.0, help="Time whose values are kept", unit="s", label="Hold Time")


@dataclass(frozen=True, kw_only=True)
class Retime(Edit):
    """Other times. Attributes: `points` (time before, time after), in order of both, instead of speed."""

    kind: ClassVar[str] = "retime"
    label: ClassVar[str] = "Retime"
    about: ClassVar[str] = "Earlier, later, slower or faster; of everything, or of a part of the face"

    offset_s: float = setting(0.0, help="How much later it happens", unit="s", label="Delay")
    speed: float = setting(1.0, help="How much faster it happens", min=0.05, max=20.0)
    points: Points = ()


KINDS: tuple[type[Edit], ...] = (
    Calibration,
    Gain,
    Offset,
    Clamp,
    Mirror,
    Balance,
    Filter,
    LipSeal,
    LidContact,
    Blink,
    Remap,
    Hold,
    Retime,
)
KIND_OF: Mapping[str, type[Edit]] = {cls.kind: cls for cls in KINDS}
Stack = tuple[Edit, ...]
"""Edits, the first to be carried out first."""
