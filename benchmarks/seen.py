"""Does the head show what the footage shows?

    python -m benchmarks.seen [CLIP…] [--truth] [--match look|weights] [--take FILE …] [--no-dlib] …

Clips are solved on the sample head (default: the demo clip and, where ../shared is there, the GRID and `faces` clips).
The landmark network looks at the footage and at the head drawn from the same camera; fifteen measures of the face, as
changes from each clip's own median, are compared: correlation, and gain (slope; 1 is right). dlib, where it is
installed, judges beside it. `--truth` puts the true weights of the rendered performance on the sample head; `--take`
judges takes that were made elsewhere (refined ones, say), one for each clip. A sheet of the frames that differ most is
written.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.dlib_judge import compare_with_dlib, has_dlib, observe_with_dlib
from benchmarks.ground_truth import ROOT, embedding_of, load_truth, observe_clip, response_of
from benchmarks.sample_head import sample_rig
from facecap_addon.fit.settings import FitSettings
from facecap_addon.fit.solve import solve_take
from facecap_addon.footage.footage import open_footage
from facecap_addon.footage.read import read_frames
from facecap_addon.geometry.camera import centered_camera
from facecap_addon.images.encode import write_image
from facecap_addon.landmarks.face_measures import (
    MEASURES,
    MeasureAgreement,
    align_faces,
    compare_faces,
    measure_difference,
    measure_faces,
    points_of,
)
from facecap_addon.landmarks.gaze_measures import GAZE_MEASURES, compare_gaze, measure_gaze
from facecap_addon.landmarks.observations import Observations
from facecap_addon.landmarks.registry import open_landmarker
from facecap_addon.reports.observe_head import observe_head, picture_head
from facecap_addon.reports.thumbnails import cut_face
from facecap_addon.rig.blendshapes import BlendshapeRig
from facecap_addon.rig.channels import ARKIT_CHANNELS, arkit_name
from facecap_addon.rig.embedding import LandmarkEmbedding
from facecap_addon.takes.npz import load_take
from facecap_addon.takes.take import Take

U8 = NDArray[np.uint8]
_WORST, _CELL_PX = 8, 240
_APART_S = 0.4


@dataclass(frozen=True)
class Seen:
    """What both judges say of one clip, and the landmark network of the irises; `dlib`: None where not installed."""

    name: str
    network: MeasureAgreement
    gaze: MeasureAgreement
    dlib: MeasureAgreement | None


@dataclass(frozen=True)
class Head:
    """A character whose drawn head is looked at."""

    rig: BlendshapeRig
    embedding: LandmarkEmbedding


def judge(
    name: str, clip: Path, observations: Observations, take: Take, head: Head, *, dlib: bool, sheets: Path | None
) -> Seen:
    """Compare the footage with the head that a take moves."""
    camera = centered_camera(*observations.image_size, take.focal_px)
    seen = observe_head(take, head.rig, head.embedding.head_from_rig, camera, open_landmarker())
    aligned = [align_faces(points_of(of)) for of in (observations, seen)]
    footage, mine = (measure_faces(faces) for faces in aligned)
    agreement, gaze = compare_faces(footage, mine), compare_gaze(*(measure_gaze(faces) for faces in aligned))
    if sheets is not None:
        _write_sheet(sheets / f"{name}.png", clip, observations, seen, take, head, measure_difference(footage, mine))
    if not dlib:
        return Seen(name, agreement, gaze, None)
    shown = {int(index) for index in observations.frame_index}
    pictures = (frame.image for frame in read_frames(open_footage(clip)) if frame.index in shown)
    return Seen(
        name,
        agreement,
        gaze,
        compare_with_dlib(observe_with_dlib(pictures), observe_with_dlib(_head_pictures(take, head, observations))),
    )


def _head_pictures(take: Take, head: Head, observations: Observations) -> Iterator[U8]:
    camera = centered_camera(*observations.image_size, take.focal_px)
    picture = picture_head(take, head.rig, head.embedding.head_from_rig, camera)
    for row in range(len(take.time_s)):
        yield picture.at(row)


def _write_sheet(
    path: Path,
    clip: Path,
    observations: Observations,
    seen: Observations,
    take: Take,
    head: Head,
    difference: NDArray[np.float64],
) -> None:
    """The frames that differ most, apart in time: the footage's face above the head's, from left to right in time."""
    chosen: list[int] = []
    for row in np.argsort(-np.nan_to_num(difference, nan=-1.0)):
        if np.isfinite(difference[row]) and all(abs(take.time_s[row] - take.time_s[one]) > _APART_S for one in chosen):
            chosen.append(int(row))
        if len(chosen) == _WORST:
            break
    if not chosen:
        return
    camera = centered_camera(*observations.image_size, take.focal_px)
    picture = picture_head(take, head.rig, head.embedding.head_from_rig, camera)
    row_of = {int(observations.frame_index[row]): row for row in chosen}
    columns: dict[int, U8] = {}
    for frame in read_frames(open_footage(clip)):
        row = row_of.get(frame.index)
        if row is not None:
            above = cut_face(frame.image, observations.landmarks_px[row], _CELL_PX)
            below = cut_face(picture.at(row), seen.landmarks_px[row], _CELL_PX)
            columns[row] = np.concatenate([above, below])
    path.parent.mkdir(parents=True, exist_ok=True)
    write_image(path, np.ascontiguousarray(np.concatenate([columns[row] for row in sorted(columns)], axis=1)))


def with_true_weights(take: Take, weights: NDArray[np.float32]) -> Take:
    """A take with the head's motion of a solve and known ARKit weights (F, 52)."""
    columns = [ARKIT_CHANNELS.index(name) if (name := arkit_name(c)) in ARKIT_CHANNELS else -1 for c in take.channels]
    true = np.where(np.array(columns) >= 0, weights[:, columns], 0.0).astype(np.float32)
    return replace(take, weights=true, jaw=np.zeros_like(take.jaw))


def default_clips() -> list[Path]:
    """The demo clip and those beside the checkout."""
    from tools.fetch_clip import fetch_clip

    clips = ROOT.parent / "shared" / "data" / "clips"
    beside = [*sorted((clips / "faces").glob("*.mp4")), *sorted((clips / "grid").glob("*.mpg"))]
    return [Path(fetch_clip()), *beside]


def show(results: list[Seen]) -> None:
    """Print a table of clips, and one of measures, for each judge."""
    captions = {"network": "as seen by the landmark network", "gaze": "its irises", "dlib": "as seen by dlib"}
    for judge_name, caption in captions.items():
        found = [(seen.name, getattr(seen, judge_name)) for seen in results if getattr(seen, judge_name) is not None]
        if not found:
            continue
        print(f"\n{caption}")
        for name, agreement in found:
            print(f"  {name:24s} corr {agreement.mean_correlation:6.3f}  gain {agreement.median_gain:5.2f}", end="")
            print(f"  {len(agreement.names):2d} measures, {agreement.frames} frames")
        for measure in (*MEASURES, *GAZE_MEASURES):
            rows = [
                (agreement.correlation[k], agreement.gain[k])
                for _, agreement in found
                for k, name in enumerate(agreement.names)
                if name == measure
            ]
            if rows:
                corr, gain = np.mean(rows, axis=0)
                print(f"    {measure:12s} corr {corr:6.3f}  gain {gain:5.2f}  in {len(rows)} clips")
        corr = np.nanmean([agreement.mean_correlation for _, agreement in found])
        gain = np.nanmedian([agreement.median_gain for _, agreement in found])
        print(f"  all: mean correlation {corr:.3f}, median gain {gain:.2f}")


def _json_of(results: list[Seen]) -> str:
    def facts(agreement: MeasureAgreement | None) -> dict[str, object] | None:
        if agreement is None:
            return None
        rows = {
            name: [round(float(agreement.correlation[k]), 3), round(float(agreement.gain[k]), 3)]
            for k, name in enumerate(agreement.names)
        }
        return {"corr": agreement.mean_correlation, "gain": agreement.median_gain, "measures": rows}

    return json.dumps(
        {
            one.name: {"network": facts(one.network), "gaze": facts(one.gaze), "dlib": facts(one.dlib)}
            for one in results
        },
        indent=1,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("clips", nargs="*", type=Path)
    parser.add_argument("--truth", action="store_true", help="also the true weights of the rendered performance")
    parser.add_argument("--take", nargs="*", type=Path, default=[], help="a take for each clip, instead of a solve")
    parser.add_argument("--match", choices=("look", "weights"), default="look", help="of the solves")
    parser.add_argument("--landmarks-only", action="store_true", help="without the appearance network")
    parser.add_argument("--no-dlib", action="store_true", help="only the landmark network")
    parser.add_argument("--sheets", type=Path, default=ROOT / "build" / "seen", help="folder for the sheets")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    options = parser.parse_args()
    clips = options.clips or default_clips()
    if options.take and len(options.take) != len(clips):
        parser.error("one take for each clip")
    rig = sample_rig()
    head = Head(rig, embedding_of(rig, "sample_head"))
    response = response_of(rig, "sample_head")
    dlib = not options.no_dlib and has_dlib()

    results: list[Seen] = []
    for k, clip in enumerate(clips):
        observations = observe_clip(clip, pixels=not options.landmarks_only)
        if options.take:
            take = load_take(options.take[k])
            observations = rows_of(observations, take)
        else:
            take = solve_take(observations, rig, head.embedding, FitSettings(match=options.match), response=response)
        results.append(judge(clip.stem, clip, observations, take, head, dlib=dlib, sheets=options.sheets))
    truth_data = ROOT.parent / "shared" / "data"
    if options.truth and truth_data.is_dir():
        truth = load_truth(truth_data)
        observations = observe_clip(truth.clip, pixels=not options.landmarks_only)
        solved = solve_take(observations, rig, head.embedding, FitSettings(match=options.match), response=response)
        results.append(judge("ict_rom", truth.clip, observations, solved, head, dlib=dlib, sheets=options.sheets))
        true = with_true_weights(solved, truth.weights)
        results.append(judge("ict_rom, true weights", truth.clip, observations, true, head, dlib=dlib, sheets=None))
    show(results)
    print(f"\nframes that differ most: {options.sheets}")
    if options.json:
        options.json.write_text(_json_of(results))


def rows_of(observations: Observations, take: Take) -> Observations:
    """The observations of a take's frames: a take may be of a part of the clip."""
    rows = np.searchsorted(observations.time_s, take.time_s - 5e-4)
    return observations.part(rows)


if __name__ == "__main__":
    main()
