"""A face is the same face in a picture of any shape, and motion the same motion at any frame rate."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw

torch = pytest.importorskip("torch")

from facecap_addon.errors import FacecapError  # noqa: E402
from facecap_addon.footage.write import write_video  # noqa: E402
from facecap_addon.learn.data.crops import describe_framing, frame_shot, prepare_pictures  # noqa: E402
from facecap_addon.learn.data.frames import read_shot_frames, split_into_phases  # noqa: E402
from facecap_addon.learn.data.training_set import (  # noqa: E402
    ShotFacts,
    ShotRows,
    TrainingSet,
    add_shot,
    open_set,
    save_set,
)
from facecap_addon.learn.export.onnx_export import to_onnx  # noqa: E402
from facecap_addon.learn.networks.meng.lstm import WeightLstm  # noqa: E402
from facecap_addon.live.live_solvers import SolverMethod  # noqa: E402
from facecap_addon.live.sources.capture_thread import LivePicture  # noqa: E402
from facecap_addon.solvers.bundle import SolverBundle, SolverFacts, load_bundle, save_bundle  # noqa: E402
from facecap_addon.solvers.crop import Framing, PictureKind, place_crop, widen_to_aspect  # noqa: E402
from facecap_addon.solvers.face_keypoints import extract_face_keypoints  # noqa: E402
from facecap_addon.solvers.frame_rate import SequenceClock  # noqa: E402
from facecap_addon.solvers.solver import TrainedSolver  # noqa: E402
from tests.unit.learn.test_training_set import rig  # noqa: E402

WIDE, TALL = (640, 360), (480, 360)
KIND = PictureKind(32, 32)
OPENINGS = (0.0, 0.5, 1.0)


def draw_face(size: tuple[int, int], middle: tuple[float, float], height: float, opened: float) -> NDArray[np.uint8]:
    """(H, W, 3) a face of a height in px about a place, its mouth open by a share."""
    sheet = Image.new("RGB", (2 * size[0], 2 * size[1]), (90, 100, 110))  # twice as large: edges come out soft
    pen = ImageDraw.Draw(sheet)

    def disc(x: float, y: float, wide: float, high: float, colour: tuple[int, int, int]) -> None:
        x, y = middle[0] + x * height, middle[1] + y * height
        box = (x - wide * height / 2, y - high * height / 2, x + wide * height / 2, y + high * height / 2)
        pen.ellipse([2 * v for v in box], fill=colour)

    disc(0, 0, 0.8, 1.0, (210, 160, 140))
    disc(-0.18, -0.15, 0.15, 0.1, (30, 30, 30))
    disc(0.18, -0.15, 0.15, 0.1, (30, 30, 30))
    disc(0, 0.25, 0.35, 0.03 + 0.25 * opened, (90, 20, 20))
    return np.asarray(sheet.resize(size, Image.Resampling.BOX))


def box_of(size: tuple[int, int], middle: tuple[float, float], height: float) -> NDArray[np.float32]:
    """(1, 4) where that face's landmarks would be, in parts of the picture."""
    wide, high = 0.3 * height, 0.4 * height
    found = np.array([middle[0] - wide, middle[1] - high, middle[0] + wide, middle[1] + high])
    return (found / [*size, *size]).astype(np.float32)[None]


FILMED = (WIDE, (300.0, 170.0), 200.0)


def ignore(*_: object) -> None:
    """Progress is of no interest here."""


class Mouth(torch.nn.Module):
    """Something of every part of the picture, twice."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.layers = torch.nn.Sequential(
            torch.nn.Conv2d(1, 4, 5, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(4 * 10 * 10, 2 + 136)
        )

    def forward(self, picture):  # type: ignore[no-untyped-def]
        found = self.layers(picture)
        return found[:, :2], found[:, 2:] * 0.1 + 0.5


@pytest.fixture(scope="module")
def bundle() -> SolverBundle:
    """A solver that learned from a face in wide pictures."""
    size, middle, height = FILMED
    crop = widen_to_aspect((0.3, 0.1, 0.35, 0.75), size, 1.0)
    box = box_of(size, middle, height)[0]
    face = tuple(((box - [*crop[:2]] * 2) / [*crop[2:], *crop[2:]]).tolist())
    model = to_onnx(Mouth(), {"picture": torch.zeros(1, 1, 32, 32)}, ("weights", "landmarks"))
    facts = SolverFacts(
        "mouth", "weights", crop, None, KIND, 0.5, 0.2, rig().channels, 12, {}, framing=Framing(size, 30.0, face)
    )
    return SolverBundle(facts, {"face": model}, np.zeros(0, np.int32), rig().neutral)


def framing_of(bundle: SolverBundle) -> Framing:
    assert bundle.facts.framing is not None
    return bundle.facts.framing


def test_a_crop_grows_to_the_networks_shape_and_no_further() -> None:
    crop = widen_to_aspect((0.4, 0.2, 0.2, 0.6), (1600, 900), 1.0)  # 320 × 540 px
    assert crop[2] * 1600 == pytest.approx(540)
    assert crop[3] * 900 == pytest.approx(540)
    assert crop[0] + crop[2] / 2 == pytest.approx(0.5)
    assert crop[1:4:2] == pytest.approx((0.2, 0.6))
    assert widen_to_aspect(crop, (1600, 900), 1.0) == pytest.approx(crop)


@pytest.mark.parametrize(
    ("size", "middle", "height"),
    [(TALL, (250.0, 190.0), 200.0), (TALL, (230.0, 170.0), 260.0), ((360, 640), (180.0, 300.0), 170.0)],
)
def test_a_face_gives_the_same_weights_in_pictures_of_another_shape(
    bundle: SolverBundle, size: tuple[int, int], middle: tuple[float, float], height: float
) -> None:
    learned, other = TrainedSolver(bundle), TrainedSolver(bundle)
    assert learned.fit_to(WIDE) == ""
    assert "its crop is placed about the face" in other.fit_to(size, box_of(size, middle, height))
    wanted = np.stack([learned.solve(draw_face(*FILMED, opened)) for opened in OPENINGS])
    found = np.stack([other.solve(draw_face(size, middle, height, opened)) for opened in OPENINGS])
    apart = np.abs(wanted[0] - wanted[-1]).max()
    assert np.abs(found - wanted).max() < 0.1 * apart
    # Landmarks lie in the picture that was given, on the same places of the face.
    assert learned.landmarks is not None and other.landmarks is not None
    learned.solve(draw_face(*FILMED, 0.0))
    other.solve(draw_face(size, middle, height, 0.0))
    on_face = (learned.landmarks * WIDE - FILMED[1]) / FILMED[2]
    np.testing.assert_allclose((other.landmarks * size - middle) / height, on_face, atol=0.02)
    # As the face would have been seen before: squeezed.
    squeezed = TrainedSolver(replace(bundle, facts=replace(bundle.facts, framing=None)))
    before = np.stack([squeezed.solve(draw_face(size, middle, height, opened)) for opened in OPENINGS])
    assert np.abs(before - wanted).max() > 0.3 * apart


def test_another_shape_without_a_face_is_refused_and_it_is_said_why(bundle: SolverBundle) -> None:
    solver = TrainedSolver(bundle)
    with pytest.raises(FacecapError, match=r"480×360.*640×360.*squeezed"):
        solver.fit_to(TALL)
    with pytest.raises(FacecapError, match="squeezed"):
        solver.fit_to(TALL, np.full((3, 4), np.nan))
    with pytest.raises(FacecapError, match="squeezed"):
        solver.solve(draw_face(TALL, (250, 190), 200, 0.0))
    with pytest.raises(FacecapError, match="squeezed"):
        SolverMethod(solver, rig(), None, TALL, None)
    aside = replace(framing_of(bundle), side_size_px=WIDE)
    two = TrainedSolver(replace(bundle, facts=replace(bundle.facts, framing=aside)))
    with pytest.raises(FacecapError, match="second camera"):
        two.fit_to(WIDE, None, TALL)


def test_a_solver_of_an_older_version_solves_as_before_and_says_so(bundle: SolverBundle, tmp_path: Path) -> None:
    save_bundle(tmp_path / "new.facecap", bundle)
    assert load_bundle(tmp_path / "new.facecap").facts == bundle.facts
    save_bundle(tmp_path / "old.facecap", replace(bundle, facts=replace(bundle.facts, framing=None)))
    solver = TrainedSolver(load_bundle(tmp_path / "old.facecap"))
    assert "older version" in solver.fit_to(TALL)
    assert solver.crop_box == bundle.facts.crop
    assert solver.solve(draw_face(TALL, (250, 190), 200, 0.0)).shape == (2,)


class Gate:
    """Sees the face where it was drawn, with iBUG's landmarks in its box."""

    scheme = "ibug-68"

    def __init__(self, box: NDArray[np.float32], size: tuple[int, int]) -> None:
        corners = box.reshape(2, 2) * size - 0.5
        self.points = np.linspace(corners[0], corners[1], 68).astype(np.float32)

    def look(self, frame: LivePicture):  # type: ignore[no-untyped-def]
        return None if frame.index == 1 else SimpleNamespace(landmarks_px=self.points)


def test_live_pictures_of_another_shape_are_seen_about_the_face(bundle: SolverBundle) -> None:
    middle, height = (250.0, 190.0), 200.0
    box = box_of(TALL, middle, height)
    # The gate's box leaves out the outline above the brows, as all boxes do.
    seen = Gate(box, TALL)
    wanted = place_crop(
        (framing_of(bundle)).face,
        1.0,
        extract_face_keypoints(seen.points[None], TALL, "ibug-68")[1],
        TALL,
    )
    solver = TrainedSolver(bundle)
    method = SolverMethod(solver, rig(), None, TALL, None, seen)  # pyright: ignore[reportArgumentType]
    assert any("another shape" in note for note in method.notes)
    faces = [method.step(LivePicture(i, i / 30, i / 30, draw_face(TALL, middle, height, 0.5))) for i in range(3)]
    assert [one is not None for one in faces] == [True, False, True]
    assert solver.crop_box == pytest.approx(wanted, abs=1e-6)


def follow(time_s: NDArray[np.float64], learned_fps: float | None) -> NDArray[np.float64]:
    """What a memory that learned motion at a rate gives for a moving face at some times."""
    clock, memory, answer, out = SequenceClock(learned_fps), 0.0, 0.0, list[float]()
    for t in time_s:
        steps = clock.step(float(t), np.array([np.sin(2 * np.pi * 1.5 * t)], np.float32))
        if steps.restart:
            memory = 0.0
        for one in steps.ticks:
            memory = 0.8 * memory + 0.2 * float(one[0])
            answer = memory
        if steps.beside is not None:
            answer = memory + steps.share * (0.8 * memory + 0.2 * float(steps.beside[0]) - memory)
        out.append(answer)
    return np.array(out)


@pytest.mark.parametrize("rate", [60.0, 59.94, 50.0, 25.0, 24.0, 15.0, 29.97])
def test_a_network_that_learned_motion_gives_the_same_at_any_frame_rate(rate: float) -> None:
    learned = np.arange(120) / 30
    wanted = follow(learned, 30.0)
    time_s = np.arange(round(4 * rate)) / rate
    found, as_before = follow(time_s, 30.0), follow(time_s, None)
    late = (time_s > 1) & (time_s <= learned[-1])
    true = np.interp(time_s, learned, wanted)
    assert np.abs(found - true)[late].max() < 0.03
    if abs(rate - 30) > 1:
        assert np.abs(as_before - true)[late].max() > 0.07
    ticks = np.abs(time_s * 30 - np.round(time_s * 30)) < 1e-6
    if rate in (60.0, 15.0):
        np.testing.assert_allclose(found[ticks & late], true[ticks & late], atol=0.02)


class Brightness(torch.nn.Module):
    """A picture's brightness, eight times."""

    def forward(self, picture):  # type: ignore[no-untyped-def]
        return picture.mean((1, 2, 3))[:, None].expand(-1, 8) * 1.0


def test_a_solver_with_a_memory_gives_the_same_for_faster_footage(bundle: SolverBundle) -> None:
    torch.manual_seed(2)
    lstm = WeightLstm(8, torch.zeros(2), hidden=16)
    for part in lstm.lstm.parameters():  # slow enough for the rate to matter
        part.data.mul_(2)
    state = torch.zeros(1, 1, 16)
    step = {"embedding": torch.zeros(1, 1, 8), "hidden": state, "cell": state.clone()}
    networks = {
        "embedding": to_onnx(Brightness(), {"picture": torch.zeros(1, 1, 32, 32)}, ("embedding",)),
        "sequence": to_onnx(lstm, step, ("weights", "hidden_after", "cell_after")),
    }
    facts = replace(bundle.facts, framing=replace(framing_of(bundle), size_px=(8, 8), rate_fps=30.0))

    def solve(fps: float, *, knows_rate: bool) -> NDArray[np.float32]:
        solver = TrainedSolver(replace(bundle, facts=facts, networks=networks))
        times = np.arange(round(2 * fps)) / fps
        pictures = [np.full((8, 8, 3), round(128 + 100 * np.sin(9 * t)), np.uint8) for t in times]
        return np.stack(
            [solver.solve(one, time_s=float(t) if knows_rate else None) for one, t in zip(pictures, times, strict=True)]
        )

    wanted, found, before = solve(30, knows_rate=True), solve(60, knows_rate=True), solve(60, knows_rate=False)
    np.testing.assert_allclose(solve(30, knows_rate=False), wanted, atol=1e-6)
    # Every other frame is a step with the same memory; the others lie between.
    np.testing.assert_allclose(found[::2], wanted, atol=1e-5)
    apart = np.abs(before[::2] - wanted)[10:].max()
    assert apart > 20 * 1e-5 and np.abs(found[1:-1:2] - (found[:-2:2] + found[2::2]) / 2)[10:].max() < apart


def test_at_the_learned_rate_every_frame_is_a_step_whatever_its_stamp() -> None:
    jitter = np.random.default_rng(2).uniform(-0.002, 0.002, 60)
    clock = SequenceClock(30.0)
    every = [clock.step(i / 30 + jitter[i], np.full(1, i, np.float32)) for i in range(60)]
    assert all(len(one.ticks) == 1 and one.beside is None and not one.restart for one in every)
    assert clock.step(10.0, np.ones(1, np.float32)).restart


def film(folder: Path, name: str, size: tuple[int, int], middle: tuple[float, float], fps: float, **facts: str):  # type: ignore[no-untyped-def]
    """A shot of a face whose mouth opens and shuts, and its rows."""
    frames, height = round(fps / 2), 200.0
    time_s = np.arange(frames) / fps
    opened = 0.5 + 0.5 * np.sin(5 * time_s)
    list(
        write_video(
            folder / f"{name}.mp4",
            ((t, draw_face(size, middle, height, o)) for t, o in zip(time_s, opened, strict=True)),
            quality=12,
        )
    )
    box = np.repeat(box_of(size, middle, height), frames, 0)
    points = np.full((frames, 68, 2), 0.5, np.float32)
    face = points[:, :3]
    weights = np.stack([opened, opened], 1).astype(np.float32)
    shot = ShotFacts(name, f"{name}.mp4", None, None, None, frames, size_px=size, **facts)  # type: ignore[arg-type]
    return shot, ShotRows(np.arange(frames), time_s, weights, face, box, points)


def test_shots_of_two_shapes_show_the_same_face_to_the_network(tmp_path: Path) -> None:
    made = TrainingSet(tmp_path, rig(), crop=(0.3, 0.1, 0.35, 0.75), crop_is_own=True)
    for name, size, middle in (("wide", WIDE, (300.0, 170.0)), ("tall", TALL, (250.0, 190.0))):
        made = add_shot(made, *film(tmp_path, name, size, middle, 30))
    save_set(made)
    made = open_set(tmp_path)
    assert [shot.size_px for shot in made.shots] == [WIDE, TALL]
    assert [shot.rate_fps for shot in made.shots] == [pytest.approx(30), pytest.approx(30)]
    for kind in (KIND, PictureKind(40, 30)):
        wide, tall = (np.asarray(prepare_pictures(made, shot, kind, ignore), np.float64) for shot in made.shots)
        assert np.abs(wide - tall).mean() < 2.0
        for shot, size in zip(made.shots, (WIDE, TALL), strict=True):
            _, _, width, height = frame_shot(made, shot, kind)
            assert width * size[0] / (height * size[1]) == pytest.approx(kind.aspect, rel=1e-6)
    framing = describe_framing(made, KIND)
    assert framing.size_px == WIDE and framing.rate_fps == pytest.approx(30)
    frames = read_shot_frames(made, made.shots, KIND, ignore)
    assert np.isfinite(frames.points).all()
    # A set of an older version knows neither size nor rate: both are found in its footage.
    old = replace(made, shots=tuple(replace(shot, size_px=None, rate_fps=None) for shot in made.shots))
    assert frame_shot(old, old.shots[1], KIND) == pytest.approx(frame_shot(made, made.shots[1], KIND))
    assert describe_framing(old, KIND) == framing
    assert old.complete().shots == made.shots


def test_a_faster_shot_is_learned_in_steps_of_the_slower_one(tmp_path: Path) -> None:
    made = TrainingSet(tmp_path, rig(), crop=(0.3, 0.1, 0.35, 0.75), crop_is_own=True)
    for name, fps in (("usual", 30.0), ("fast", 60.0)):
        made = add_shot(made, *film(tmp_path, name, WIDE, (300.0, 170.0), fps))
    frames = read_shot_frames(made, made.shots, KIND, ignore)
    found = split_into_phases(made, frames)
    assert found.count == frames.count == 45
    assert [shot.name for shot in found.shots] == ["usual", "fast", "fast"]
    starts = found.find_starts(2)
    np.testing.assert_allclose(found.time_s[starts + 1] - found.time_s[starts], 1 / 30, atol=1e-6)
    usual, even = found.read_pictures(np.arange(15)).astype(float), found.read_pictures(np.arange(15, 30)).astype(float)
    assert np.abs(usual - even).mean() < 2.0
    np.testing.assert_allclose(found.weights[15:30], found.weights[:15], atol=1e-6)
    odd = add_shot(made, *film(tmp_path, "odd", WIDE, (300.0, 170.0), 45.0))
    with pytest.raises(FacecapError, match="45 frames per second"):
        split_into_phases(odd, read_shot_frames(odd, odd.shots, KIND, ignore))
