"""Run by a Python that has nothing but bpy: install the zip as a user does, press Solve, look at the mesh.

Arguments: ZIP VIDEO FOLDER. The last line printed is JSON.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

archive, video, folder = (Path(argument) for argument in sys.argv[1:4])
os.environ["BLENDER_USER_RESOURCES"] = str(folder / "user")

import bpy  # noqa: E402  isort: skip (it makes addon_utils importable)
import addon_utils  # noqa: E402
import numpy as np  # noqa: E402

ADDON = "bl_ext.user_default.facecap"


def face_at(head: bpy.types.Object, frame: int) -> np.ndarray:
    """(V, 3): the vertices as Blender shows them, in the object's own space."""
    bpy.context.scene.frame_set(frame)
    mesh = head.evaluated_get(bpy.context.evaluated_depsgraph_get()).data
    flat = np.empty(len(mesh.vertices) * 3, np.float32)
    mesh.vertices.foreach_get("co", flat)
    return flat.reshape(-1, 3)


def main() -> dict[str, object]:
    bpy.ops.wm.read_homefile(use_empty=True)
    bpy.ops.extensions.package_install_files(repo="user_default", filepath=str(archive), enable_on_install=True)
    loaded = addon_utils.check(ADDON)[1]
    heavy = sorted({"torch", "scipy", "PIL", "onnxruntime", "av"} & set(sys.modules))
    addon_utils.disable(ADDON)
    addon_utils.enable(ADDON)

    scene = bpy.context.scene
    bpy.ops.facecap.import_footage(filepath=str(video))
    bpy.ops.facecap.add_sample_head()
    head = scene.facecap.character
    solved = bpy.ops.facecap.solve()
    first, last = scene.frame_start, scene.frame_end
    rest = np.empty(len(head.data.vertices) * 3, np.float32)
    head.data.shape_keys.reference_key.data.foreach_get("co", rest)
    faces = [face_at(head, frame) for frame in range(first, last + 1, 4)]
    moved_mm = max(float(np.linalg.norm(face - rest.reshape(-1, 3), axis=1).max()) for face in faces) * 1000
    changed_mm = max(float(np.linalg.norm(face - faces[0], axis=1).max()) for face in faces) * 1000
    answer = {
        "blender": bpy.app.version_string,
        "python": sys.version.split()[0],
        "numpy": np.__version__,
        "loaded": loaded,
        "heavy_modules_after_enabling": heavy,
        "solved": sorted(solved),
        "frames_solved": scene.facecap.result.frames_solved,
        "moved_mm": moved_mm,
        "changed_mm": changed_mm,
        "torch": "torch" in sys.modules,
    }
    code = command_line(folder / "command")
    answer["command_exit_code"] = code
    answer["command_files"] = sorted(path.name for path in (folder / "command").iterdir() if path.name[0] != ".")
    addon_utils.disable(ADDON)
    return answer


def command_line(out: Path) -> int:
    """What `blender --command facecap solve` runs: the function that the add-on registers."""
    from bl_ext.user_default.facecap.facecap_addon.blender.cli_command import run

    return run(["solve", str(video), "--out", str(out), "--end", "20", "--no-preview"])


result = main()
print(json.dumps(result), flush=True)
os._exit(0)  # Blender as a module can hang while it tears itself down
