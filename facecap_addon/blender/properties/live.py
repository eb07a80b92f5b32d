"""What live capture is asked, and where the face comes from."""

from __future__ import annotations

import bpy

from ...jobs.settings.live import LiveSettings
from .declare import BoolProperty, EnumProperty, IntProperty, StringProperty, with_properties
from .derive import annotations_of
from .smoothing import smoothing_property

# Where the face comes from has a form of its own here; the rest is taken from the scene.
_NOT_DERIVED = (
    *(
        "source",
        "character",
        "actor",
        "out",
        "record",
        "seconds",
        "send",
        "blender",
        "threads",
        "focal_px",
        "precision",
    ),
    *("neutral_after", "radius", "order"),
)


@with_properties(annotations_of(LiveSettings, skip=_NOT_DERIVED))
class FACECAP_PG_live(bpy.types.PropertyGroup):
    """One property for every field of LiveSettings that is a matter of choice, and where the face comes from."""

    method: str
    filter: str
    cutoff_hz: float
    delay: int
    kind: str = EnumProperty(
        name="Source",
        items=[
            ("camera", "Camera", "A camera on this computer"),
            ("video", "Video", "The scene's footage, played at its own rate"),
            ("phone", "Phone", "Live Link Face on a phone in the same network"),
        ],
        description="Where the face comes from",
    )
    camera: int = IntProperty(name="Camera", description="Number of the camera, counted from 0", min=0, max=99)
    port: int = IntProperty(
        name="Port", description="Network port that the phone sends to", default=11111, min=1, max=65535
    )
    use_send: bool = BoolProperty(
        name="Stream To", description="Stream the face to another program as Live Link Face does", default=False
    )
    send: str = StringProperty(
        name="Address", description="HOST:PORT of the program that listens", default="127.0.0.1:11112"
    )
    smoothing: float = smoothing_property()
    location: bool = BoolProperty(
        name="Also Move Head", description="Move the head as well as turning it", default=False
    )


CLASSES = (FACECAP_PG_live,)
