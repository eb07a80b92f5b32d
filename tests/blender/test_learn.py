"""Learn: drawings and a crop of one's own go into the set by button, and what is missing is said."""

from __future__ import annotations

from pathlib import Path
from unittest.mock import MagicMock

import bpy
import numpy as np
import pytest

from facecap_addon.blender import session
from facecap_addon.blender.operators.learn import training_asked, training_picture
from facecap_addon.blender.panels.learn import FACECAP_PT_learn, FACECAP_PT_learn_options
from facecap_addon.jobs.training.train import describe_useless_settings
from facecap_addon.learn.data.training_set import open_set
from tests.blender.test_operators import needs_models, open_sample_head


@needs_models
@pytest.mark.usefixtures("models")
def test_the_character_is_drawn_into_the_set_and_the_crop_is_kept(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    head = open_sample_head(tmp_path)
    settings = bpy.context.scene.facecap
    settings.character = head
    settings.learn.folder = str(tmp_path / "set")
    settings.learn.draw_seconds = 1.2
    settings.learn.side = True
    assert bpy.ops.facecap.draw_set() == {"FINISHED"}
    made = open_set(tmp_path / "set")
    assert [shot.frames for shot in made.shots] and sum(shot.frames for shot in made.shots) > 30
    assert len(made.rig.channels) == 52 and not made.crop_is_own
    assert made.side_crop is not None and made.shots[0].side_video is not None
    settings.learn.use_crop = True
    settings.learn.crop = (0.25, 0.2, 0.5, 0.7)
    assert bpy.ops.facecap.check_set() == {"FINISHED"}
    np.testing.assert_allclose(open_set(tmp_path / "set").crop, (0.25, 0.2, 0.5, 0.7), atol=1e-4)
    assert session.outcome is not None and any("shots" in line for line in session.outcome.lines)


def test_a_take_can_be_added_once_there_is_one() -> None:
    result = bpy.context.scene.facecap.result
    result.take = ""
    assert not bpy.ops.facecap.add_to_set.poll() and bpy.ops.facecap.draw_set.poll()
    result.take = "/somewhere/talk.take.npz"
    assert bpy.ops.facecap.add_to_set.poll()


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    learn = bpy.context.scene.facecap.learn
    learn.folder = str(tmp_path / "nothing")
    with pytest.raises(RuntimeError, match="no training set yet"):
        bpy.ops.facecap.train()
    with pytest.raises(RuntimeError, match="No character was chosen"):
        bpy.ops.facecap.draw_set()
    with pytest.raises(RuntimeError, match="no training set yet"):
        bpy.ops.facecap.check_set()


def test_the_panel_offers_what_the_network_has_a_use_for() -> None:
    learn = bpy.context.scene.facecap.learn

    def offered(network: str) -> set[str]:
        learn.network = network
        layout = MagicMock()
        for panel in (FACECAP_PT_learn, FACECAP_PT_learn_options):
            panel.draw_section(MagicMock(), layout, bpy.context)
        return {args[1] for name, args, _ in layout.mock_calls if name.endswith("prop")}

    found = {network: offered(network) for network in ("laine", "dense", "meng", "vgg-lstm", "dfcn", "ridge")}
    every = set.intersection(*found.values())
    assert every >= {"network", "compare", "int8", "device"}
    stepwise = {"preset", "use_epochs", "epochs", "patience", "precision"}
    assert {network: names - every for network, names in found.items()} == {
        "laine": stepwise | {"mirror", "cutmix", "affine", "stabilise", "lip_lid_weight"},
        "dense": stepwise | {"stabilise"},
        "meng": stepwise | {"mirror", "labelled_images", "mining"},
        "vgg-lstm": stepwise | {"mirror", "cutmix"},
        "dfcn": stepwise | {"mirror", "distil"},
        "ridge": {"mirror", "stabilise"},
    }


def test_what_the_panel_does_not_offer_is_not_asked_for() -> None:
    learn = bpy.context.scene.facecap.learn
    learn.preset, learn.patience, learn.cutmix, learn.stabilise = "preview", 7, False, True
    learn.network = "laine"
    asked = training_asked(bpy.context)
    assert (asked.preset, asked.patience, asked.cutmix, asked.stabilise) == ("preview", 7, False, True)
    assert training_picture(training_asked(bpy.context)).parent.name == ".laine-preview.training"
    learn.network = "ridge"
    assert describe_useless_settings(training_asked(bpy.context)) == ()
    assert training_asked(bpy.context).stabilise
    assert training_picture(training_asked(bpy.context)).parent.name == ".ridge-full.training"


def test_sorted_images_go_along_where_the_network_learns_from_them(tmp_path: Path) -> None:
    learn = bpy.context.scene.facecap.learn
    learn.network = "meng"
    assert training_asked(bpy.context).labelled_images is None
    learn.labelled_images = str(tmp_path)
    assert training_asked(bpy.context).labelled_images == tmp_path
    learn.network = "vgg-lstm"
    assert training_asked(bpy.context).labelled_images is None


def test_what_older_files_call_otherwise_is_taken_over(tmp_path: Path) -> None:
    learn = bpy.context.scene.facecap.learn
    get = getattr(learn, "bl_system_properties_get", None)
    saved = learn if get is None else get(do_create=True)
    saved["halves"], saved["stills"] = 0, "//faces"  # as versions wrote them that had these properties
    path = str(tmp_path / "old.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.read_homefile(use_empty=True)
    assert bpy.context.scene.facecap.learn.cutmix
    bpy.ops.wm.open_mainfile(filepath=path)
    learn = bpy.context.scene.facecap.learn
    assert not learn.cutmix and learn.labelled_images == "//faces"
    learn.cutmix = True
    bpy.ops.wm.save_mainfile()
    bpy.ops.wm.open_mainfile(filepath=path)
    assert bpy.context.scene.facecap.learn.cutmix  # the old value is gone
