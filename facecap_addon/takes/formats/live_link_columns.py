"""The columns of a Live Link Face CSV."""

from __future__ import annotations

TIMECODE_FPS = 60
_ALL_SIDES = ("Left", "Right")

LIVE_LINK_SHAPES: tuple[str, ...] = (
    *(
        f"Eye{part}{side}"
        for side in _ALL_SIDES
        for part in ("Blink", "LookDown", "LookIn", "LookOut", "LookUp", "Squint", "Wide")
    ),
    *("JawForward", "JawRight", "JawLeft", "JawOpen", "MouthClose", "MouthFunnel", "MouthPucker"),
    *("MouthRight", "MouthLeft"),
    *(f"Mouth{part}{side}" for part in ("Smile", "Frown", "Dimple", "Stretch") for side in _ALL_SIDES),
    *("MouthRollLower", "MouthRollUpper", "MouthShrugLower", "MouthShrugUpper"),
    *(f"Mouth{part}{side}" for part in ("Press", "LowerDown", "UpperUp") for side in _ALL_SIDES),
    *("BrowDownLeft", "BrowDownRight", "BrowInnerUp", "BrowOuterUpLeft", "BrowOuterUpRight"),
    *("CheekPuff", "CheekSquintLeft", "CheekSquintRight", "NoseSneerLeft", "NoseSneerRight", "TongueOut"),
)
LIVE_LINK_ANGLES: tuple[str, ...] = tuple(
    f"{what}{axis}" for what in ("Head", "LeftEye", "RightEye") for axis in ("Yaw", "Pitch", "Roll")
)
LIVE_LINK_COLUMNS = ("Timecode", "BlendShapeCount", *LIVE_LINK_SHAPES, *LIVE_LINK_ANGLES)
LIVE_LINK_CHANNELS = tuple(name[0].lower() + name[1:] for name in LIVE_LINK_SHAPES)
