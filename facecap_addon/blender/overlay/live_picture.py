"""What the camera or the video shows while capture runs, in the corner of the viewport, with a word on what goes on."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

import bpy

from .. import session
from ..present import system_preferences

if TYPE_CHECKING:
    import gpu
    import numpy as np
    from numpy.typing import NDArray

_WIDTH_PX, _MARGIN_PX, _TEXT_PX = 240, 16, 12
_EVERY_S = 0.1
_handle: object | None = None
_read_s = 0.0
_texture: tuple[int, gpu.types.GPUTexture] | None = None


def headline(live: session.Live) -> str:
    """What goes on, in a few words."""
    face = live.face
    if face is None:
        return f"{live.stage}: {live.fraction:.0%}" if live.fraction else live.stage
    if 0 < face.known < 1:
        return f"Getting to know the face: {face.known:.0%}"
    if not face.confidence:
        return "No face"
    return f"{face.fps:.0f} frames per second"


def read_picture(live: session.Live) -> bool:
    """Read what the worker shows, if there is something newer; returns whether there is."""
    global _read_s
    import numpy as np

    if live.picture_path is None or time.monotonic() - _read_s < _EVERY_S:
        return False
    _read_s = time.monotonic()
    with contextlib.suppress(OSError, ValueError, EOFError):
        picture = np.load(live.picture_path, allow_pickle=False)
        if picture.dtype == np.uint8 and picture.ndim == 3 and picture.shape[2] == 3 and picture.size:
            live.picture = picture
            return True
    return False


def show(visible: bool) -> None:
    """Start or stop drawing."""
    global _handle, _texture
    if visible and _handle is None and not bpy.app.background:
        _handle = bpy.types.SpaceView3D.draw_handler_add(_draw, (), "WINDOW", "POST_PIXEL")
    elif not visible and _handle is not None:
        bpy.types.SpaceView3D.draw_handler_remove(_handle, "WINDOW")
        _handle = _texture = None


def rgba(picture: NDArray[np.uint8], *, linear: bool) -> NDArray[np.float32]:
    """(h, w, 4) float32 0..1 as Blender draws it, from the bottom up.

    Args:
        picture: (h, w, 3) uint8 sRGB, from the top down.  linear: give scene-linear values, alpha apart.
    """
    import numpy as np

    out = np.ones((*picture.shape[:2], 4), np.float32)
    out[..., :3] = picture[::-1] / np.float32(255)
    if linear:
        colors = out[..., :3]
        out[..., :3] = np.where(colors <= 0.04045, colors / 12.92, ((colors + 0.055) / 1.055) ** 2.4)
    return out


def _draw() -> None:
    live = session.live
    if live is None:
        return
    import blf
    import gpu
    from gpu_extras.presets import draw_texture_2d

    scale = system_preferences().ui_scale
    margin = _MARGIN_PX * scale
    left = margin + _toolbar_width()
    if live.picture is not None:
        height, width = live.picture.shape[:2]
        gpu.state.blend_set("NONE")
        above = margin + 1.5 * _TEXT_PX * scale
        draw_texture_2d(_texture_of(live.picture), (left, above), _WIDTH_PX * scale, _WIDTH_PX * scale * height / width)
    blf.size(0, _TEXT_PX * scale)
    blf.color(0, 1.0, 1.0, 1.0, 0.9)
    blf.position(0, left, margin, 0)
    blf.draw(0, headline(live))


def _toolbar_width() -> int:
    """Pixels that the toolbar covers of the viewport's left side."""
    if not system_preferences().use_region_overlap:
        return 0
    area = bpy.context.area
    regions = () if area is None else area.regions
    tools = [region for region in regions if region.type == "TOOLS" and region.alignment == "LEFT"]
    return tools[0].width if tools and tools[0].width > 1 else 0


def _texture_of(picture: NDArray[np.uint8]) -> gpu.types.GPUTexture:
    global _texture
    import gpu

    if _texture is None or _texture[0] != id(picture):
        height, width = picture.shape[:2]
        # Before 5.0 textures are taken for scene-linear in the viewport.
        values = rgba(picture, linear=bpy.app.version < (5, 0, 0)).ravel()
        pixels = gpu.types.Buffer("FLOAT", len(values), values)  # pyright: ignore[reportCallIssue]  stub lacks it
        _texture = id(picture), gpu.types.GPUTexture((width, height), format="RGBA16F", data=pixels)  # pyright: ignore[reportCallIssue]  stub
    return _texture[1]


def register() -> None:
    """Nothing is drawn until capture starts."""


def unregister() -> None:
    show(False)
