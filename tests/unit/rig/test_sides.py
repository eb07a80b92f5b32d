"""Left and right, end to end: what is said of one side arrives on that side, in every format and on the head."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from facecap_addon.geometry.quaternions import HEAD_FRONT_WXYZ
from facecap_addon.jobs.steps.sample_head import CACHE
from facecap_addon.landmarks.layout import layout_of
from facecap_addon.live.live_solvers import PacketMethod
from facecap_addon.live.wire.formats import WIRE_FORMATS
from facecap_addon.live.wire.vmc import PERFECT_SYNC
from facecap_addon.live.wire.wire_face import WireFace
from facecap_addon.rig.blendshapes import load_rig
from facecap_addon.rig.channels import ARKIT_CHANNELS, arkit_name, mirror_name
from facecap_addon.rig.embedding import landmark_geometry, load_embedding
from facecap_addon.rig.network_response import load_response
from facecap_addon.rig.sides import SIDEWAYS, side_of
from facecap_addon.takes.formats.live_link import read_live_link_csv, write_live_link_csv
from facecap_addon.takes.npz import load_take, save_take
from facecap_addon.takes.take import REGIONS, STATUS_SOLVED, Take
from tests.unit.live.test_capture import character

# A wink, a brow, a smile, a look, and the four that go sideways.
SHOWN = ("eyeBlinkLeft", "browOuterUpLeft", "mouthSmileLeft", "noseSneerLeft", "jawLeft", "mouthLeft")
ALL = (*SHOWN, *map(mirror_name, SHOWN))


def take_of(name: str) -> Take:
    weights = np.zeros((3, len(ARKIT_CHANNELS)), np.float32)
    weights[:, ARKIT_CHANNELS.index(name)] = 0.75
    return Take(
        time_s=np.arange(3) / 30,
        channels=ARKIT_CHANNELS,
        weights=weights,
        head_rotation_wxyz=np.tile(np.float32(HEAD_FRONT_WXYZ), (3, 1)),
        head_translation_m=np.zeros((3, 3), np.float32),
        gaze_rad=np.zeros((3, 2, 2), np.float32),
        confidence=np.ones((3, len(REGIONS)), np.float32),
        regions=REGIONS,
        status=np.full(3, STATUS_SOLVED, np.int8),
        landmarks_px=np.zeros((3, 0, 2), np.float32),
        residual_px=np.zeros(3, np.float32),
        image_size=(0, 0),
        focal_px=0.0,
        provenance={},
    )


def moved(channels: tuple[str, ...], weights: np.ndarray) -> list[str]:
    return [arkit_name(channel) or channel for channel, value in zip(channels, weights, strict=True) if value > 0.01]


@pytest.mark.parametrize("name", ALL)
def test_in_files(name: str, tmp_path: Path) -> None:
    take = take_of(name)
    save_take(tmp_path / "a.take.npz", take)
    write_live_link_csv(tmp_path / "a.csv", take)
    for back in (load_take(tmp_path / "a.take.npz"), read_live_link_csv(tmp_path / "a.csv")):
        assert moved(back.channels, back.weights[1]) == [name]
    # The column of that name is the one that is filled.
    head, row, *_ = (tmp_path / "a.csv").read_text(encoding="ascii").splitlines()
    columns = dict(zip(head.split(","), row.split(","), strict=True))
    assert float(columns[name[0].upper() + name[1:]]) == pytest.approx(0.75)


@pytest.mark.parametrize("form", [name for name in WIRE_FORMATS if name != "vmc-expressions"])
@pytest.mark.parametrize("name", ALL)
def test_over_the_wire(name: str, form: str) -> None:
    sent = WireFace(ARKIT_CHANNELS, take_of(name).weights[0], time_s=1.0)
    decode = WIRE_FORMATS[form].make_decoder()
    (back,) = [face for data in WIRE_FORMATS[form].encode(sent) if (face := decode(data)) is not None]
    # On characters whose keys are written in other ways, too.
    for spelling in (lambda c: c, lambda c: c.replace("Left", "_L").replace("Right", "_R")):
        keys = tuple(spelling(one) if side_of(one) else one for one in ARKIT_CHANNELS)
        face = PacketMethod(character(*keys), WIRE_FORMATS[form]).face_of(back, 0.0)
        assert face is not None
        assert moved(keys, face.weights) == [name]


@pytest.mark.parametrize("name", ALL)
def test_only_what_goes_sideways_is_exchanged_where_a_sender_means_the_opposite(name: str) -> None:
    sent = WireFace(tuple(PERFECT_SYNC.values()), take_of(name).weights[0])
    face = PacketMethod(character(*ARKIT_CHANNELS), WIRE_FORMATS["vmc"], exchange=True).face_of(sent, 0.0)
    assert face is not None
    assert moved(ARKIT_CHANNELS, face.weights) == [mirror_name(name) if name in SIDEWAYS else name]


def test_expressions_of_vrm_keep_the_side_of_a_wink() -> None:
    form = WIRE_FORMATS["vmc-expressions"]
    decode = form.make_decoder()
    (back,) = [decode(data) for data in form.encode(WireFace(ARKIT_CHANNELS, take_of("eyeBlinkLeft").weights[0]))]
    assert back is not None and back.weights is not None
    assert {"Blink_L", "eyeBlinkLeft"} == {
        name for name, value in zip(back.channels, back.weights, strict=True) if value > 0.01
    }


def test_the_rule_names_every_channel_once() -> None:
    assert {side_of(name) for name in SIDEWAYS} == {None}
    for channel in ARKIT_CHANNELS:
        other = side_of(mirror_name(channel))
        assert other == {"left": "right", "right": "left", None: None}[side_of(channel)]
    assert sum(side_of(channel) is not None for channel in ARKIT_CHANNELS) == 36


@pytest.mark.parametrize("seen", [False, True])
def test_on_the_sample_head_each_side_is_the_characters_own(seen: bool) -> None:
    """As its landmarks are moved, and as the landmark network sees it in renders of it."""
    rig, embedding = load_rig(*CACHE.glob("rig-*.npz")), load_embedding(*CACHE.glob("landmarks-*.npz"))
    neutral, deltas = landmark_geometry(rig, embedding)  # head space: x to the character's own left
    if seen:
        deltas = load_response(*CACHE.glob("response-*.npz")).deltas
    low = int(np.argmin(neutral[:, 2]))
    lips = list(layout_of(embedding.scheme).keypoints[3])
    for name in ALL:
        delta = deltas[rig.channels.index(name)]
        left = name.endswith("Left")
        if name in SIDEWAYS:
            moved_m = delta[low, 0] if name.startswith("jaw") else delta[lips, 0].mean()
            assert (moved_m > 0) == left, name
            assert abs(moved_m) > 0.001, name
        else:
            share = np.linalg.norm(delta, axis=1)
            assert ((neutral[:, 0] * share).sum() > 0) == left, name
