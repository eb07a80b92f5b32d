"""The words of the panel: Blender's style, plain English, and values that scenes saved earlier keep."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import bpy
import pytest

from facecap_addon.blender.properties.derive import title
from facecap_addon.blender.properties.smoothing import cutoff_of, smoothing_of

SMALL = {"a", "and", "at", "by", "in", "into", "of", "on", "or", "the", "to", "with"}
NAMES = {"iFacialMocap"}
"""Of other people's programs, as they write them."""
UNITS = {"(s)", "(mm)", "(px)", "(fps)", "×"}
BRITISH = ("colour", "neighbour", "labelled", "centre", "grey", "metre")
"""Blender's own labels are spelled as in America."""
PAPERS = ("laine", "dense", "pointwise", "meng", "vgg", "dfcn", "bao", "appendix", "equation", "gaussian-printed")
OLD = (
    "Rehears",
    "Send On",
    "Too",
    "Trained on Actor",
    "This Is Neutral",
    "Sigma",
    "Kernel",
    "Stills",
    "Temporal",
    "Reestimate",
    "Infill",
)
GROUPS = (
    "solve",
    "refine",
    "learn",
    "live",
    "filter",
    "keys",
    "generate",
    "retarget",
    "bake",
    "corrections",
    "edits",
    "take_list",
)
VALUES = {
    "solve.method": ["landmarks", "deep", "FILE"],
    "solve.point_cache": ["none", "pc2", "mdd"],
    "refine.schedule": ["refine", "paper"],
    "refine.temporal": ["hybrid", "plate flow", "self flow", "averaging", "none"],
    "refine.albedo": ["own", "estimated"],
    "learn.network": ["laine", "dense", "pointwise", "meng", "vgg-lstm", "dfcn", "ridge"],
    "learn.preset": ["full", "preview"],
    "live.kind": ["camera", "video", "phone", "program"],
    "live.sent_as": ["udp", "ifacialmocap", "ifacialmocap-tcp", "vmc"],
    "filter.filter": ["hybrid", "one-euro", "median", "none", "kalman-sg"],
    "generate.motion": ["auto", "keys", "points"],
    "retarget.kernel": ["gaussian", "gaussian-printed", "thin-plate", "multiquadric"],
    "bake.mode": ["new", "mix", "layer"],
    "bake.layer_blend": ["REPLACE", "COMBINE"],
    "corrections.grip": ["point", "lip_corner", "lip_edge", "lid_edge", "brow", "jaw"],
    "bake.head": ["auto", "object", "bone", "none"],
}
"""What .blend files and presets hold: labels may change, these may not."""


def properties() -> list[tuple[str, bpy.types.Property]]:
    scene = bpy.context.scene.facecap
    groups = [("", scene), *((f"{name}.", getattr(scene, name)) for name in GROUPS)]
    groups.append(("edit.", scene.edits.stack.add()))
    inherited = {"rna_type", "name"}
    return [
        (f"{prefix}{item.identifier}", item)
        for prefix, group in groups
        for item in group.bl_rna.properties
        if item.identifier not in inherited and item.name and item.identifier != item.name
    ]


def operators() -> list[type]:
    return [getattr(bpy.types, name) for name in dir(bpy.types) if name.startswith("FACECAP_OT_")]


def labels_and_tooltips() -> list[tuple[str, str, str]]:
    """Of all that the panel shows: where it is, label and tooltip."""
    said = [(name, item.name, item.description) for name, item in properties()]
    said += [
        (f"{name}={choice.identifier}", choice.name, choice.description)
        for name, item in properties()
        if item.type == "ENUM"
        for choice in item.enum_items
    ]
    said += [(one.bl_idname, one.bl_label, one.bl_description) for one in operators()]
    panels = [getattr(bpy.types, name) for name in dir(bpy.types) if name.startswith("FACECAP_PT_")]
    return said + [(one.__name__, one.bl_label, "") for one in panels]


def test_labels_are_in_title_case_and_tooltips_have_no_full_stop() -> None:
    said = labels_and_tooltips()
    assert len(said) > 150
    for where, label, tooltip in said:
        words = [word for word in label.split() if word.strip(",") not in {*UNITS, *NAMES}]
        assert words or label in NAMES, where
        for number, word in enumerate(words):
            assert word[0].isupper() or not word[0].isalpha() or (number and word in SMALL), (where, label)
        assert not tooltip.endswith(".") and tooltip[:1] == tooltip[:1].upper(), (where, tooltip)
        assert not any(name in tooltip.lower() for name in (*PAPERS, "if not given")), (where, tooltip)
        assert not any(word in f"{label} {tooltip}".lower() for word in BRITISH), where


def test_labels_hold_no_names_of_papers_and_no_inventions() -> None:
    for where, label, _ in labels_and_tooltips():
        assert not any(name in label.lower() for name in PAPERS), (where, label)
        assert not set(OLD) & {label, *label.split()}, (where, label)


@pytest.mark.parametrize("name", VALUES)
def test_values_of_saved_scenes_are_still_there(name: str) -> None:
    group, _, item = name.partition(".")
    rna = getattr(bpy.context.scene.facecap, group).bl_rna.properties[item]
    assert [choice.identifier for choice in rna.enum_items] == VALUES[name]


def test_a_saved_scene_opens_with_its_values(tmp_path: Path) -> None:
    settings = bpy.context.scene.facecap
    settings.solve.method, settings.bake.mode, settings.learn.network = "deep", "mix", "dfcn"
    settings.filter.cutoff_hz, settings.retarget.kernel, settings.generate.use_chain = 20.0, "thin-plate", True
    path = str(tmp_path / "saved.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.wm.open_mainfile(filepath=path)
    settings = bpy.context.scene.facecap
    assert (settings.solve.method, settings.bake.mode, settings.learn.network) == ("deep", "mix", "dfcn")
    assert settings.filter.cutoff_hz == 20.0  # beyond the slider, which leaves it
    assert settings.filter.smoothing == 0.0
    assert (settings.retarget.kernel, settings.generate.use_chain) == ("thin-plate", True)


def test_smoothing_and_cut_off_follow_each_other() -> None:
    chosen = bpy.context.scene.facecap.filter
    assert chosen.smoothing == pytest.approx(0.5)
    chosen.smoothing = 0.9
    assert chosen.cutoff_hz == pytest.approx(cutoff_of(0.9)) and chosen.cutoff_hz < 4.0
    chosen.cutoff_hz = 12.0
    assert chosen.smoothing == pytest.approx(0.0)
    assert [round(cutoff_of(one), 2) for one in (0.0, 0.5, 1.0)] == [12.0, 4.0, 1.33]
    assert smoothing_of(0.1) == 1.0


def test_names_become_titles() -> None:
    assert [title(name) for name in ("start_frame", "end_of_take", "one-euro", "pc2")] == [
        "Start Frame",
        "End of Take",
        "One Euro",
        "Pc2",
    ]


def test_messages_to_the_user_hold_no_inventions() -> None:
    """What is written in quotes where panel and captions are made."""
    from facecap_addon.blender import operators as there
    from facecap_addon.blender import panels
    from facecap_addon.jobs import registry

    folders = [Path(str(inspect.getfile(module))).parent for module in (there, panels)]
    texts = [path.read_text(encoding="utf-8") for folder in folders for path in folder.glob("*.py")]
    texts.append(Path(registry.__file__).read_text(encoding="utf-8"))
    for old in ("This Is Neutral", "Send On", "Footage Beside Head", "left alone", "Landmarks within", " on a plate"):
        assert not any(re.search(rf'"[^"\n]*{old}', text) for text in texts), old
