"""Everything that FaceCap registers in Blender, in one list."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from types import ModuleType

# Properties come before the operators and panels that read them.
MODULES = (
    "preferences",
    "properties.solve",
    "properties.learn",
    "properties.live",
    "properties.create",
    "properties.bake",
    "properties.take",
    "properties.take_list",
    "properties.corrections",
    "properties.check",
    "properties.edits",
    "properties.mapping",
    "properties.settings",
    "properties.former_names",
    "operators.footage",
    "operators.character",
    "operators.jobs",
    "operators.solve",
    "operators.sides",
    "operators.viewport.edit_landmarks",
    "operators.viewport.show_footage",
    "operators.refine",
    "operators.actor",
    "operators.learn",
    "operators.take.bake",
    "operators.take.takes",
    "operators.take.compare",
    "operators.take.corrections",
    "operators.viewport.correct_in_view",
    "operators.take.edits",
    "operators.mapping",
    "operators.bake_across",
    "operators.live",
    "operators.create",
    "operators.fill_by_motion",
    "operators.result",
    "operators.take.check",
    "operators.installation",
    "operators.report_problem",
    "help.manual",
    "help.menus",
    "help.keymap",
    "help.presets",
    "translations",
    "overlay.landmarks",
    "overlay.footage_landmarks",
    "overlay.confidence_lane",
    "overlay.other_curves",
    "overlay.live_picture",
    "panels.sides",
    "panels.sidebar",
    "panels.mapping",
    "panels.jobs",
    "panels.actor",
    "panels.result",
    "panels.corrections",
    "panels.edits",
    "panels.takes",
    "panels.more",
    "panels.refine",
    "panels.check",
    "panels.learn",
    "panels.live",
    "panels.create",
    # Last, so first to go: it ends the worker, and what it did is kept.
    "queue.listening",
    "cli_command",
)

_undo: list[Callable[[], None]] = []


def register() -> None:
    """Register every class and hook in order; if one fails, take back those before it and raise."""
    import bpy  # the module is read without Blender, too: by tests and by tools

    if _undo:
        unregister()
    try:
        for name in MODULES:
            module = import_module(f".blender.{name}", __package__)
            for cls in getattr(module, "CLASSES", ()):
                bpy.utils.register_class(cls)
                _undo.append(lambda cls=cls: bpy.utils.unregister_class(cls))
            _run_hook(module)
    except BaseException:
        unregister()
        raise


def unregister() -> None:
    """Take back, last first, what `register` did; one failure does not keep the rest registered."""
    failures: list[Exception] = []
    while _undo:
        try:
            _undo.pop()()
        except Exception as error:  # the rest must still be taken back; raised below
            failures.append(error)
    if failures:
        raise failures[0]


def _run_hook(module: ModuleType) -> None:
    """Call the module's own `register`, if it has one, and remember its `unregister`."""
    hook = getattr(module, "register", None)
    if hook is not None:
        _undo.append(module.unregister)
        hook()
