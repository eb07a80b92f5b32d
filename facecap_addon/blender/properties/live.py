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
        "local_only",
        "phone",
        "blender",
        "threads",
        "focal_px",
        "precision",
    ),
    *("neutral_after", "radius", "order"),
)

SENT_PORTS = {"udp": 11111, "ifacialmocap": 49983, "ifacialmocap-tcp": 49986, "vmc": 39539}
"""How a face may be sent, as `open_source` calls it, and the port that is usual for it."""
SENT = ("phone", "program")
"""Kinds of sources that send a face that is solved already."""
SENT_LABELS = {
    "udp": "Live Link Face",
    "ifacialmocap": "iFacialMocap",
    "ifacialmocap-tcp": "iFacialMocap, TCP",
    "vmc": "VMC",
}


def _set_usual_port(live: FACECAP_PG_live, context: bpy.types.Context) -> None:
    live.port = SENT_PORTS[live.sent_as]


@with_properties(annotations_of(LiveSettings, skip=_NOT_DERIVED))
class FACECAP_PG_live(bpy.types.PropertyGroup):
    """One property for every field of LiveSettings that is a matter of choice, and where the face comes from."""

    method: str
    filter: str
    cutoff_hz: float
    delay: int
    send_as: str
    mirror: bool
    kind: str = EnumProperty(
        name="Source",
        items=[
            ("camera", "Camera", "A camera on this computer"),
            ("video", "Video", "The scene's footage, played at its own rate"),
            ("phone", "Phone", "An app on a phone in the same network"),
            ("program", "Program", "A program on this computer; nothing else is listened to"),
        ],
        description="Where the face comes from",
    )
    camera: int = IntProperty(name="Camera", description="Number of the camera, counted from 0", min=0, max=99)
    sent_as: str = EnumProperty(
        name="Sent As",
        items=[(name, SENT_LABELS[name], "") for name in SENT_PORTS],
        description="Format in which the phone or the program sends the face",
        update=_set_usual_port,
    )
    phone: str = StringProperty(
        name="Phone",
        description="Address that the app shows, as 192.168.1.7: it alone is listened to, and iFacialMocap is asked "
        "for its face; empty: every phone",
    )
    port: int = IntProperty(
        name="Port", description="Network port that the face is sent to", default=11111, min=1, max=65535
    )
    use_send: bool = BoolProperty(name="Stream To", description="Stream the face to another program", default=False)
    send: str = StringProperty(
        name="Address", description="HOST:PORT of the program that listens", default="127.0.0.1:11112"
    )
    smoothing: float = smoothing_property()
    location: bool = BoolProperty(
        name="Also Move Head", description="Move the head as well as turning it", default=False
    )


CLASSES = (FACECAP_PG_live,)
