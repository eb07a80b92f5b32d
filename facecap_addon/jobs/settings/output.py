"""Which files a job writes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ...json_types import Facts
from ...settings_schema import setting


@dataclass(frozen=True, kw_only=True)
class OutputSettings:
    """Wishes for files, the same for every job that ends in a take."""

    live_link: bool = setting(True, help="Write the Live Link Face CSV")
    point_cache: str = setting(
        "none",
        help="Write every vertex of every frame as a point cache",
        choices=("none", "pc2", "mdd"),
        choice_labels={
            "none": ("None", "No point cache"),
            "pc2": ("PC2", "Point Cache 2"),
            "mdd": ("MDD", "Lightwave's, with times"),
        },
    )
    report: bool = setting(True, help="Write the HTML report")
    preview: bool = setting(False, help="Write a video of the footage beside the animated head", label="Preview Video")
    whole_frames: bool = setting(
        False, help="Put keys in the .blend on whole frames only, resampled, instead of where each frame was filmed"
    )
    reduce_keys: float = setting(
        0.0,
        help="How far curves in the .blend may be off, 1 being a whole shape, when needless keys are taken away; "
        "0: all keys stay",
        min=0.0,
    )
    blend: bool = setting(True, help="Write a .blend with keys on the character (needs Blender or the bpy module)")
    head_pose: str = setting(
        "auto",
        help="What the head's pose is keyed on in the .blend: the bone that turns the head, the object that carries "
        "the head and its parts, or nothing; auto: the bone where there is one, else the object",
        choices=("auto", "object", "bone", "none"),
    )
    head_bone: str | None = setting(
        None,
        help="Bone that the head's pose is keyed on, as BONE or ARMATURE:BONE; if not given: found automatically",
    )
    mapping: str | None = setting(
        None,
        help="What the channels move in the .blend: a mapping's file (.json) or the name of a preset, as “VRoid”; "
        "if not given: what the .blend says, else shape keys of the same name",
    )
    blender: Path | None = setting(
        None, help="Blender program to use for .blend files; if not given: FACECAP_BLENDER, or the one on the PATH"
    )

    def keying(self) -> Facts:
        """How a character is keyed, as requests to Blender say it.

        Raises FacecapError if the mapping cannot be read.
        """
        facts: Facts = {"head": self.head_pose, "bone": self.head_bone}
        if self.mapping is not None:
            # Settings are read when the extension is enabled, which need not wait for these.
            from ...rig.mapping.mapping_file import mapping_facts
            from ...rig.mapping.presets import find_mapping

            facts["mapping"] = mapping_facts(find_mapping(self.mapping))
        return facts
