"""What Blender calls this add-on, and where it may keep files."""

from __future__ import annotations

from pathlib import Path

import bpy

from .present import user_preferences

# "bl_ext.user_default.facecap" as an installed extension, "facecap_addon" when registered from a checkout.
ADDON = __name__.removesuffix(".blender.paths").removesuffix(".facecap_addon")


def user_folder(name: str) -> Path:
    """A folder of the add-on's own for results of unsaved files, reports and the like; made if needed."""
    if ADDON.startswith("bl_ext."):
        folder = Path(bpy.utils.extension_path_user(ADDON, path=name, create=True))
    else:
        folder = Path(bpy.utils.user_resource("DATAFILES", path="facecap", create=True)) / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def job_folder(video: Path) -> Path:
    """Where the solve of a video keeps its work: beside the .blend if it is saved, else in the add-on's own folder.

    The same video gets the same folder, so a solve that was interrupted goes on from where it stopped.
    """
    return work_folder(video.stem or video.name or "footage")


def work_folder(name: str) -> Path:
    """Where work of some name is kept: beside the .blend if it is saved, else in the add-on's own folder."""
    if bpy.data.filepath:
        return Path(bpy.data.filepath).parent / "facecap" / name
    return user_folder("takes") / name


def preferences() -> bpy.types.AddonPreferences | None:
    """The add-on's preferences, or None when it was registered without being an add-on."""
    addon = user_preferences().addons.get(ADDON)
    return None if addon is None else addon.preferences
