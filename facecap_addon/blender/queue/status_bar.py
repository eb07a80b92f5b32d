"""The running job in Blender's status bar; drawn only while one runs."""

from __future__ import annotations

import bpy

from .. import session

_shown: list[bool] = []


def show() -> None:
    """Show the running job from now on."""
    if not _shown:
        bpy.types.STATUSBAR_HT_header.append(_draw)
        _shown.append(True)
        redraw()


def hide() -> None:
    """The status bar is Blender's own again."""
    if _shown:
        bpy.types.STATUSBAR_HT_header.remove(_draw)
        _shown.clear()
        redraw()


def redraw() -> None:
    """Have the status bar drawn again; not while a tool runs, which may have written its own words there."""
    manager = bpy.context.window_manager
    for window in manager.windows if manager is not None else ():
        if not getattr(window, "modal_operators", ()) and window.workspace is not None:
            window.workspace.status_text_set_internal(None)  # the only call that asks for it


def _draw(header: bpy.types.Header, context: bpy.types.Context) -> None:
    job = session.job
    if job is None or header.layout is None:
        return
    from .listening import progress_text

    row = header.layout.row(align=True)
    more = f" (+{len(session.waiting)})" if session.waiting else ""
    row.label(text=f"FaceCap: {job.title}{more}", icon="TIME")
    bar = row.row(align=True)
    bar.ui_units_x = 14
    bar.progress(factor=job.fraction, text=progress_text(job))
    row.operator("facecap.cancel", text="", icon="CANCEL")
