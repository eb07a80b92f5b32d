"""Left and right in ARKit's names: stated here once, for every format that FaceCap reads or writes.

**Parts of a face** (lids, gaze, brows, cheeks, nose, and what of the mouth has a side: smile, frown, dimple, stretch,
press, upper and lower lip) are named by the face's own side: `eyeBlinkLeft` shuts the actor's left eye, which an
unmirrored picture shows on its right. `eyeLookInLeft` turns her left eye towards her nose.

**Four channels name a direction instead** (`SIDEWAYS`): the whole jaw, or both lips, go left or right. Apple's words
are "leftward", relative to the face; characters are made so: their `jawLeft` moves the chin to their own left, and
FaceCap solves footage so. What phones record is the other way: in a range of motion by Live Link Face the corner of the
*right* side is stretched (correlation -0.95) and the right upper lip raised (-0.91) while `mouthLeft` rises; and beside
a phone's own, mirrored movie these four agree as they are, where lids and brows have to be exchanged. Users of other
tools report the same. Names are taken as they come, in every format and both ways, unless somebody asks for
`exchange_sideways`.

Order differs between formats, so values are always told apart by name: Live Link Face's CSV has JawRight before JawLeft
and MouthRight before MouthLeft, its packets the other way round.

Yaw of head and eyes, see `Take`: to the character's own left is positive. Live Link Face and VMC (left-handed): to her
right. iFacialMocap (ARKit's own axes): to her left.
"""

from __future__ import annotations

from typing import Literal

Side = Literal["left", "right"]
SIDEWAYS = ("jawLeft", "jawRight", "mouthLeft", "mouthRight")
"""Channels that name where the whole goes, not which side of the face moves."""
_OPPOSITE = {"jawLeft": "jawRight", "jawRight": "jawLeft", "mouthLeft": "mouthRight", "mouthRight": "mouthLeft"}


def exchange_sideways(channel: str) -> str:
    """The name under which a phone's channel moves a character as the actor moved: of the four, the opposite one."""
    return _OPPOSITE.get(channel, channel)


def side_of(channel: str) -> Side | None:
    """The side of the face that an ARKit channel moves, the face's own; None where it moves both."""
    if channel in SIDEWAYS:
        return None
    return "left" if channel.endswith("Left") else "right" if channel.endswith("Right") else None
