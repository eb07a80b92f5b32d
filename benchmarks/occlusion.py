"""Things before the face, in performances whose truth is known: `python -m benchmarks.occlusion`.

Hands, hair and glasses are drawn over the rendered performance (`renders/ict_rom.mp4` of the development data) and the
rendered take of the sample head. Each is solved as it is, covered with nothing done about it, and covered with what
`landmarks.visibility` finds. Printed, and kept in `benchmarks/results/occlusion.txt`: vertex RMSE of the driven rig
where and when something lies before it, and everywhere else, as a ratio to the clip without; beside it the same with
other ways to tell what is covered, the drawn truth among them.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from benchmarks.ground_truth import MOVING_M, ROOT, SKIN, embedding_of, load_truth, response_of
from benchmarks.sample_head import sample_rig
from benchmarks.sample_take import CLIP, TRUTH
from facecap_addon.fit.settings import FitSettings
from facecap_addon.fit.solve import solve_take
from facecap_addon.footage.footage import open_footage
from facecap_addon.footage.read import Frame, read_frames
from facecap_addon.landmarks.appearance import open_appearance
from facecap_addon.landmarks.observations import Observations
from facecap_addon.landmarks.regions import Region
from facecap_addon.landmarks.registry import open_landmarker
from facecap_addon.landmarks.tracking.observe import assemble, observe
from facecap_addon.landmarks.visibility import open_visibility
from facecap_addon.rig.blendshapes import BlendshapeRig
from facecap_addon.rig.embedding import LandmarkEmbedding, landmark_geometry
from facecap_addon.takes.npz import load_take
from tools.train_visibility.hands import draw_hand
from tools.train_visibility.occluders import Scene, hair, wear_glasses

F32, F64, U8 = NDArray[np.float32], NDArray[np.float64], NDArray[np.uint8]
RESULTS = Path(__file__).resolve().parent / "results" / "occlusion.txt"
LENGTHS = (4, 6, 8, 10, 12)
APART = 16
"""Frames from one event to the next."""


@dataclass(frozen=True)
class Performance:
    """Footage, the character that it shows, and the truth.

    Attributes:
        weights: (F, K) of the rig.  vertices: those that move.
    """

    name: str
    clip: Path
    rig: BlendshapeRig
    cache_name: str
    weights: F32
    vertices: NDArray[np.intp]


@dataclass(frozen=True)
class Covered:
    """Frames with something drawn over them.

    Attributes:
        frames: with their pictures.  hidden: (F, L) bool, true landmarks that something lies before.
    """

    frames: list[Frame]
    hidden: NDArray[np.bool_]


def performances(data: Path) -> Iterator[Performance]:
    """Those whose footage is there."""
    truth_path = data / "renders" / "ict_rom_truth.npz"
    if truth_path.is_file():
        truth = load_truth(data)
        moving = np.flatnonzero(np.linalg.norm(truth.rig.deltas[:, :SKIN], axis=2).max(0) > MOVING_M)
        yield Performance("ict_rom", truth.clip, truth.rig, "ict_actor", truth.rig_weights, moving)
    rig, take = sample_rig(), load_take(TRUTH)
    weights = take.weights[:, [take.channels.index(name) for name in rig.channels]]
    moving = np.flatnonzero(np.linalg.norm(rig.deltas, axis=2).max(0) > MOVING_M)
    yield Performance("sample take", CLIP, rig, "sample_head", weights, moving)


def events(count: int, lengths: Sequence[int]) -> list[tuple[int, int, int]]:
    """(number, first, last) of the stretches in which something lies before the face."""
    found, at = [], APART
    while at + lengths[len(found) % len(lengths)] + APART <= count:
        length = lengths[len(found) % len(lengths)]
        found.append((len(found), at, at + length - 1))
        at += length + APART
    return found


def hands_over_the_mouth(frames: list[Frame], landmarks: F32) -> Covered:
    """A hand that comes before the mouth for 4 to 12 frames at a time."""

    def paint(scene: Scene, number: int, share: float) -> tuple[F32, F32]:
        random = np.random.default_rng(100 + number)
        x, y = random.normal(0, 0.08), 0.35 + random.normal(0, 0.05)
        skin = scene.skin(np.random.default_rng(number))
        layer = draw_hand(scene.shape, scene.place(x + 0.1 * (share - 0.5), y), scene.eyes_px, skin, random)
        return layer.color, layer.alpha

    return _paint(frames, landmarks, events(len(frames), LENGTHS), paint)


def skin_over_the_mouth(frames: list[Frame], landmarks: F32) -> Covered:
    """The flat patch of skin of `benchmarks.bad_frames`, for as long."""

    def paint(scene: Scene, number: int, share: float) -> tuple[F32, F32]:
        alpha = np.zeros(scene.shape, np.float32)
        x, y = scene.landmarks[[13, 14]].mean(0).astype(int).tolist()
        axes = (int(0.55 * scene.eyes_px), int(0.35 * scene.eyes_px))
        cv2.ellipse(alpha, (x, y), axes, 20, 0, 360, (1.0,), -1)
        at = np.clip(scene.landmarks[50].astype(int), 0, np.array(scene.shape)[::-1] - 1)
        return np.broadcast_to(scene.image[at[1], at[0]], scene.image.shape), alpha

    return _paint(frames, landmarks, events(len(frames), LENGTHS), paint)


def hair_over_a_brow(frames: list[Frame], landmarks: F32) -> Covered:
    """A lock that falls across a brow for 24 frames at a time."""

    def paint(scene: Scene, number: int, share: float) -> tuple[F32, F32]:
        best, most = hair(scene, np.random.default_rng(number)), 0.0
        for seed in range(number * 8, number * 8 + 8):
            layer = hair(scene, np.random.default_rng(seed))
            over = _at(layer.alpha, scene.landmarks[[70, 63, 105, 66, 107, 300, 293, 334, 296, 336]]).mean()
            if over > most:
                best, most = layer, over
        return best.color, best.alpha

    return _paint(frames, landmarks, events(len(frames), (24,)), paint)


def glasses(frames: list[Frame], landmarks: F32) -> Covered:
    """Clear glasses with a dark frame, from beginning to end."""

    def paint(scene: Scene, number: int, share: float) -> tuple[F32, F32]:
        worn = wear_glasses(scene, np.random.default_rng(5))
        return worn, (np.abs(worn - scene.image).max(2) > 0.02).astype(np.float32)

    return _paint(frames, landmarks, [(0, 0, len(frames) - 1)], paint)


Paint = Callable[[Scene, int, float], tuple[F32, F32]]
COVERS: dict[str, Callable[[list[Frame], F32], Covered]] = {
    "hand over the mouth, 4 to 12 frames": hands_over_the_mouth,
    "flat skin over the mouth, 4 to 12 frames": skin_over_the_mouth,
    "hair over a brow, 24 frames": hair_over_a_brow,
    "glasses, all frames": glasses,
}


def _paint(frames: list[Frame], landmarks: F32, when: list[tuple[int, int, int]], paint: Paint) -> Covered:
    out, hidden = list(frames), np.zeros(landmarks.shape[:2], bool)
    for number, first, last in when:
        for row in range(first, last + 1):
            if not np.isfinite(landmarks[row]).all():
                continue
            scene = Scene(frames[row].image.astype(np.float32) / 255, landmarks[row])
            color, alpha = paint(scene, number, (row - first) / max(last - first, 1))
            mixed = scene.image * (1 - alpha[..., None]) + color * alpha[..., None]
            image = np.ascontiguousarray((np.clip(mixed, 0, 1) * 255).astype(np.uint8))
            out[row] = replace(frames[row], image=image)
            hidden[row] = _at(alpha, landmarks[row]) > 0.5
    return Covered(out, hidden)


def _at(alpha: F32, points: F32) -> F32:
    x, y = np.clip(np.round(points).astype(int), 0, np.array(alpha.shape)[::-1] - 1).T
    return alpha[y, x]


def look_at(frames: list[Frame], size_px: tuple[int, int]) -> Observations:
    """Landmarks, features of crops, and what stands before them."""
    landmarker = open_landmarker()
    appearance, visibility = open_appearance(landmarker.scheme), open_visibility(landmarker.scheme)
    seen = observe(iter(frames), landmarker, appearance=appearance, visibility=visibility)
    return assemble(list(seen), landmarker, size_px)


def disagreement(frames: list[Frame], seen: Observations) -> F32:
    """(F, L) how far the landmark network contradicts itself, in outer eye distances: the face mirrored, 8 % larger,
    and moved aside by 3 %, each against what was seen."""
    landmarker = open_landmarker()
    out = np.zeros(seen.confidence.shape, np.float32)
    for row, frame in enumerate(frames):
        points = seen.landmarks_px[row]
        if not np.isfinite(points).all():
            continue
        near = landmarker.region_of_landmarks(points)
        x, y = near.center_px
        others = [
            replace(near, mirrored=True),
            replace(near, side_px=near.side_px * 1.08),
            Region((x + 0.03 * near.side_px, y), near.side_px, near.rotation_rad),
        ]
        size = float(np.linalg.norm(points[33] - points[263]))
        for other in landmarker.landmarks_in_regions(frame.image, others):
            out[row] += np.linalg.norm(other.landmarks_px - points, axis=1) / size / len(others)
    return out


@dataclass(frozen=True)
class Errors:
    """Vertex RMSE, mm: where and when something lies before the face; in the same frames elsewhere; in all others."""

    inside: float
    beside: float
    between: float


def errors_of(one: Performance, weights: F32, nearest: NDArray[np.intp], hidden: NDArray[np.bool_]) -> Errors:
    """Compare solved weights with the truth.

    Args:
        nearest: (V,) the landmark nearest to each moving vertex.  hidden: (F, L).
    """
    deltas = one.rig.deltas[:, one.vertices]
    squared = np.stack([(np.tensordot(row, deltas, axes=1) ** 2).sum(1) for row in weights - one.weights])
    inside, event = hidden[:, nearest], hidden.any(1)

    def rms(where: NDArray[np.bool_]) -> float:
        return float(np.sqrt(squared[where].mean()) * 1000) if where.any() else float("nan")

    return Errors(rms(inside), rms(~inside & event[:, None]), rms(np.broadcast_to(~event[:, None], inside.shape)))


def main() -> None:
    """Draw, solve, compare."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--frames", type=int, default=300, help="of each performance")
    parser.add_argument("--only", default="", help="covers whose name begins so")
    parser.add_argument("--cues", action="store_true", help="other ways to tell what is covered, too")
    options = parser.parse_args()
    lines: list[str] = [f"python -m benchmarks.occlusion --frames {options.frames}{' --cues' * options.cues}"]
    for one in performances(options.data):
        embedding, response = embedding_of(one.rig, one.cache_name), response_of(one.rig, one.cache_name)
        footage = open_footage(one.clip)
        frames = [frame for frame, _ in zip(read_frames(footage), range(options.frames), strict=False)]
        one = replace(one, weights=one.weights[: len(frames)])
        nearest = _nearest_landmarks(one, embedding)
        plain = look_at(frames, footage.size_px)

        def solve(observations: Observations, rig: BlendshapeRig = one.rig) -> F32:
            settings = FitSettings(match="weights")
            return solve_take(observations, rig, embedding, settings, response=response).weights  # noqa: B023

        clear = solve(replace(plain, visibility=np.zeros((len(frames), 0), np.float32)))
        with_network = solve(plain)
        nothing_there = np.zeros(plain.confidence.shape, bool)
        alone, looked = (errors_of(one, w, nearest, nothing_there).between for w in (clear, with_network))
        told = f"{one.name}: {len(frames)} frames, {alone:.3f} mm"
        lines += ["", f"{told}; looked at for covers, of which there are none: {looked:.3f} mm"]
        for name, cover in COVERS.items():
            if not name.startswith(options.only):
                continue
            covered = cover(frames, plain.landmarks_px)
            seen = look_at(covered.frames, footage.size_px)
            lines += ["", f"  {name}: {covered.hidden.any(1).sum()} frames, {covered.hidden.mean(0).max():.2f}"]
            lines.append(
                f"    {'':<34}{'inside mm':>10}{'ratio':>7}{'beside':>9}{'ratio':>7}{'between':>9}{'ratio':>7}"
            )
            usual = errors_of(one, clear, nearest, covered.hidden)
            ways = {"nothing before it": None, "nothing done": np.ones_like(seen.confidence)}
            ways |= {"visibility network": seen.visibility, "covers as drawn": 1 - covered.hidden.astype(np.float32)}
            if options.cues:
                apart = disagreement(covered.frames, seen)
                usual_apart = np.median(disagreement(frames, plain), axis=0)
                ways["network against itself"] = (apart < 2.5 * usual_apart + 0.01).astype(np.float32)
                ways["its presence"] = np.repeat((seen.presence[:, None] > 0.98), apart.shape[1], 1).astype(np.float32)
            for way, visible in ways.items():
                weights = clear if visible is None else solve(replace(seen, visibility=visible))
                found = errors_of(one, weights, nearest, covered.hidden)
                told = "".join(
                    f"{mine:9.2f} {mine / max(theirs, 1e-9):7.2f}"
                    for mine, theirs in zip(*((e.inside, e.beside, e.between) for e in (found, usual)), strict=True)
                )
                right = "" if visible is None else _agree(visible < 0.5, covered.hidden)
                lines.append(f"    {way:<34}{told}   {right}")
                print(lines[-1], flush=True)
    if not options.only:
        RESULTS.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines))


def _nearest_landmarks(one: Performance, embedding: LandmarkEmbedding) -> NDArray[np.intp]:
    """(V,) the landmark nearest to each moving vertex at rest."""
    points, _ = landmark_geometry(one.rig, embedding)
    to_head = embedding.head_from_rig
    vertices = one.rig.neutral[one.vertices] @ to_head[:3, :3].T + to_head[:3, 3]
    valid = np.flatnonzero(embedding.valid)
    return valid[KDTree(points[valid]).query(vertices)[1]]


def _agree(found: NDArray[np.bool_], true: NDArray[np.bool_]) -> str:
    """Which share of covered landmarks is found, and of the others wrongly."""
    return f"found {found[true].mean():.2f}, wrongly {found[~true].mean():.3f}" if true.any() else ""


if __name__ == "__main__":
    main()
