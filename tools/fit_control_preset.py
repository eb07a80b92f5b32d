"""Make a mapping preset from a rig: its controls fitted to what ARKit's channels do to the sample head.

    python -m tools.fit_control_preset "Rigify new face" [--out facecap_addon/rig/mapping/presets]
    python -m tools.fit_control_preset --blend hero.blend:Head --keys hero.keys.npz "My rig"

The first is for rigs that tests build around the sample head (`tests/blender/rigs/`), the second for any rig: KEYS is
what `facecap shape-keys --character hero.blend:Head` wrote, the 52 channels carried over to its head.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import bpy  # type: ignore[import-not-found]
import numpy as np

from facecap_addon.blender.scene.head.fit_controls import Fitted, fit_mapping
from facecap_addon.rig.blendshapes import load_rig
from facecap_addon.rig.channels import ARKIT_CHANNELS
from facecap_addon.rig.mapping.mapping import Target
from facecap_addon.rig.mapping.mapping_file import save_mapping
from tests.blender.rigs.rigify import rigify_head
from tests.blender.rigs.sample_skin import Skin

PRESETS = Path(__file__).resolve().parent.parent / "facecap_addon" / "rig" / "mapping" / "presets"
RIGS: dict[str, Callable[[], Skin]] = {
    "Rigify new face": lambda: rigify_head(upgraded=True).skin,
    "Rigify old face": lambda: rigify_head(upgraded=False).skin,
}
_NEVER = re.compile(
    r"^(ear|teeth|root|torso|hips|chest|spine|neck|head|tweak_spine|eye_common|eye_master|master_eye|eyes$)",
    re.IGNORECASE,
)
# What each region's channels may be made of, by parts of names; the rest of the controls are the mouth's.
_REGIONS = {
    "tongue": re.compile("tongue", re.IGNORECASE),
    "eyes": re.compile("eye", re.IGNORECASE),
    "lids": re.compile("lid", re.IGNORECASE),
    "brows": re.compile("brow|forehead|temple", re.IGNORECASE),
    "cheeks": re.compile("cheek|nose", re.IGNORECASE),
}
_ALLOWED = {
    "eyeLook": {"eyes", "lids"},
    "eye": {"lids"},
    "brow": {"brows"},
    "cheekSquint": {"lids", "cheeks"},
    "nose": {"brows", "cheeks", "mouth"},
    "tongue": {"tongue"},
    "jaw": {"mouth"},
    "": {"cheeks", "mouth"},
}
_SIDES = {"Left": re.compile(r"[._]R\b"), "Right": re.compile(r"[._]L\b")}
OUTER_CORNERS = 33, 263
SIZE_BONES = "lid.T.L", "lid.T.R"
"""Of Rigify's both faces, those that begin at the outer corners of the eyes."""


def may_use(channel: str, target: Target) -> bool:
    """Whether a channel may move a control: one of its region, and not one of the other side alone."""
    other_side = next((sides for end, sides in _SIDES.items() if channel.endswith(end)), None)
    if channel in ("jawLeft", "jawRight", "mouthLeft", "mouthRight"):
        other_side = None
    if _NEVER.search(target.name) or (other_side is not None and other_side.search(target.name)):
        return False
    region = next((name for name, named in _REGIONS.items() if named.search(target.name)), "mouth")
    return region in next(allowed for start, allowed in _ALLOWED.items() if channel.startswith(start))


def fit_to_sample(name: str, skin: Skin) -> Fitted:
    """The preset of a rig around the sample head."""
    corners = skin.landmarks[list(OUTER_CORNERS)]
    wanted = {channel: skin.arkit[channel].astype(np.float32) for channel in ARKIT_CHANNELS}
    size = float(np.linalg.norm(corners[0] - corners[1]))
    fitted = fit_mapping(skin.obj, wanted, name=name, face_size_m=size, accepts=may_use)
    return replace(fitted, mapping=replace(fitted.mapping, size_bones=SIZE_BONES))


def main() -> None:
    """Write the preset and print how near each channel comes."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("name")
    parser.add_argument("--blend", help="FILE.blend:OBJECT of another rig")
    parser.add_argument("--keys", type=Path, help="the 52 channels on its head, of `facecap shape-keys`")
    parser.add_argument("--out", type=Path, default=PRESETS)
    options = parser.parse_args()
    if options.blend:
        path, _, name = options.blend.rpartition(":")
        bpy.ops.wm.open_mainfile(filepath=path)
        keys = load_rig(options.keys)
        wanted = dict(zip(keys.channels, keys.deltas, strict=True))
        fitted = fit_mapping(bpy.data.objects[name], wanted, name=options.name, accepts=may_use)
    else:
        bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
        fitted = fit_to_sample(options.name, RIGS[options.name]())
    save_mapping(options.out / f"{options.name}.json", fitted.mapping)
    for channel, share in fitted.explained.items():
        controls = [link for link in fitted.mapping.links if link.channel == channel]
        listed = ", ".join(f"{link.target.name} {link.target.axis} {link.factor:.3g}" for link in controls)
        print(f"{channel:20} {share:5.2f}  {listed}")


if __name__ == "__main__":
    main()
    sys.stdout.flush()
    os._exit(0)  # bpy can hang at exit
