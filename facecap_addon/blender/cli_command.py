"""`blender --command facecap …`: the command line from the installed extension, in Blender's own process."""

from __future__ import annotations

import bpy

_handle: object | None = None


def run(arguments: list[str]) -> int:
    """Run the command line; returns its exit code."""
    from ..jobs.cli.main import main
    from .headless.requests import answer_request

    return main(arguments, blender_hook=answer_request)


def register() -> None:
    global _handle
    _handle = bpy.utils.register_cli_command("facecap", run)


def unregister() -> None:
    global _handle
    if _handle is not None:
        bpy.utils.unregister_cli_command(_handle)
        _handle = None
