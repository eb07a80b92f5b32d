"""The sample head as a rig, through Blender, as a user's character is read."""

from __future__ import annotations

from pathlib import Path

from facecap_addon.rig.blendshapes import BlendshapeRig

HEAD = Path(__file__).resolve().parent.parent / "sample_scenes" / "head.blend"


def sample_rig() -> BlendshapeRig:
    """Read `sample_scenes/head.blend` with bpy."""
    import bpy

    from facecap_addon.blender.scene.head.character import extract_rig

    bpy.ops.wm.open_mainfile(filepath=str(HEAD))
    meshes = [o for o in bpy.data.objects if o.type == "MESH" and o.data.shape_keys is not None]
    return extract_rig(max(meshes, key=lambda o: len(o.data.shape_keys.key_blocks)))
