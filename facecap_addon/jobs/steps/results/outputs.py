"""What jobs write: the take, a Live Link CSV, a report, a preview and a .blend, beside each other."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ....atomic_file import atomic_path
from ....errors import CancelledError, FacecapError
from ....footage.footage import Footage
from ....footage.read import read_frames
from ....json_types import Facts
from ....reports.head_check import HeadCheck
from ....reports.preview_video import write_preview
from ....reports.report import write_report
from ....reports.thumbnails import Thumbnail
from ....rig.blendshapes import BlendshapeRig
from ....rig.channels import arkit_name
from ....rig.embedding import LandmarkEmbedding
from ....rig.jaw_bone import pose_jaw
from ....takes.between import find_between_rows, space_evenly
from ....takes.formats.live_link import write_live_link_csv
from ....takes.formats.point_cache import write_point_cache
from ....takes.measures.average_error import average_error
from ....takes.measures.bad_frames import find_bad_stretches
from ....takes.names import ENDINGS
from ....takes.npz import save_take
from ....takes.take import Take
from ....takes.versions import ID, job_folder, keep
from ...runtime.blender_process import BlenderHook, NoBlenderError, Waiting, ask_blender, await_blender, prepare_blender
from ...runtime.crash_report import versions
from ...runtime.progress import REPORT_EVERY, Progress, Steps
from ...runtime.stage_timer import StageTimer
from ...settings.output import OutputSettings
from ...settings.solve import SolveSettings
from ..character import CharacterSource, characters_in
from ..proxy import prepare_shown_footage
from .result import SolveResult

# Small footage is shown larger: lips and lids are what one looks at.
_PREVIEW_PX = 432


@dataclass(frozen=True)
class OutputFiles:
    """Where everything goes."""

    out: Path
    stem: str

    def named(self, ending: str) -> Path:
        return self.out / f"{self.stem}.{ending}"

    @property
    def job(self) -> Path:
        return job_folder(self.out, self.stem)

    def keep(self, written: Iterable[str] = ENDINGS) -> Path | None:
        """Keep the results of these endings as a version of their take; returns its take, if there is one."""
        return keep(self.out, self.stem, [self.named(ending) for ending in written])

    @property
    def characters(self) -> Path:
        return characters_in(self.out)


def write_take(files: OutputFiles, take: Take, settings: OutputSettings) -> Path | None:
    """Write the take and, where wished for, its Live Link CSV; returns where what had their names is kept now."""
    before = files.keep()
    save_take(files.named("take.npz"), take)
    if settings.live_link:
        write_live_link(files, take)
    return before


def write_live_link(files: OutputFiles, take: Take, *, start_s: float = 0.0) -> None:
    """Write a take's Live Link CSV, its channels under ARKit's names; start_s: time of the day at the take's time 0."""
    names = {name: arkit_name(name) or name for name in take.channels}
    write_live_link_csv(files.named("livelink.csv"), take, arkit_names=names, start_s=start_s)


def write_vertices(
    files: OutputFiles,
    take: Take,
    rig: BlendshapeRig,
    settings: OutputSettings,
    vertices: Callable[[int], NDArray[np.float32]] | None,
    fps: float,
    head_from_rig: NDArray[np.floating],
) -> Path:
    """Write the point cache that is wished for, in rig space (metres, the scene's axes), frame by frame.

    Samples are evenly spaced, `fps` a second; where no face was seen they go from the face before to the one after.

    Args:
        vertices: (V, 3) m of a row, where a solver gave more than the keys can; else they are the keys' and the jaw's.
    """
    path = files.named(settings.point_cache)
    at_s = space_evenly(take.time_s, fps)

    def of_keys(row: int) -> NDArray[np.float32]:
        return pose_jaw(rig, take.weights[row], take.jaw[row], head_from_rig)

    frames = find_between_rows(take.time_s, take.solved, at_s).interpolate_meshes(vertices or of_keys)
    write_point_cache(path, frames, at_s, rig.vertex_count, fps=fps)
    return path


def write_summary(path: Path, summary: Facts) -> None:
    """Write a summary, completely or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(summary, indent=1, ensure_ascii=False), encoding="utf-8")


def result_of(
    files: OutputFiles, settings: OutputSettings, summary: Facts, *, has_blend: bool, before: Path | None
) -> SolveResult:
    """What was written; it is kept as a version, too.

    Args:
        before: the kept version of the take that had its name, if there was one.
    """
    written = {
        "take.npz": True,
        "summary.json": True,
        "livelink.csv": settings.live_link,
        "report.html": settings.report,
        "preview.mp4": settings.preview,
        "blend": has_blend,
        settings.point_cache: settings.point_cache != "none",
    }
    return SolveResult(
        take=files.named("take.npz"),
        version=files.keep(ending for ending, there in written.items() if there),
        before=before,
        summary_path=files.named("summary.json"),
        live_link=files.named("livelink.csv") if settings.live_link else None,
        report=files.named("report.html") if settings.report else None,
        preview=files.named("preview.mp4") if settings.preview else None,
        blend=files.named("blend") if has_blend else None,
        summary=summary,
    )


def make_preview(
    path: Path, footage: Footage, take: Take, rig: BlendshapeRig, embedding: LandmarkEmbedding
) -> Steps[None]:
    """Write the side-by-side preview video, reporting frames."""
    total = take.frame_count
    yield Progress("preview", 0, total)
    reader = read_frames(footage)
    try:
        for written in write_preview(
            path, reader, take=take, rig=rig, head_from_rig=embedding.head_from_rig, min_height_px=_PREVIEW_PX
        ):
            if written % REPORT_EVERY == 0:
                yield Progress("preview", written, total)
    finally:
        reader.close()


def prepare_blend_footage(
    source: CharacterSource, settings: SolveSettings, footage: Footage, files: OutputFiles, warnings: list[str]
) -> Steps[Path | None]:
    """What of the footage a .blend is to show, a proxy where it needs one; None if no .blend is wished for."""
    if not (settings.blend and source.is_blend):
        return None
    try:
        shown = yield from prepare_shown_footage(footage, files.out, footage.frame_rate)
    except FacecapError as error:
        warnings.append(f"The .blend shows no footage: {error.what}")
        return None
    if shown.note:
        warnings.append(shown.note)
    return shown.path


def prepare_bake(
    source: CharacterSource,
    settings: SolveSettings,
    footage: Footage,
    shown: Path | None,
    hook: BlenderHook | None,
    files: OutputFiles,
) -> AbstractContextManager[Callable[[], Waiting] | None]:
    """Blender, started to key the character in a copy of its .blend; None if there is nothing to key.

    Args:
        shown: the video that the .blend shows, from `prepare_blend_footage`.
    """
    if not (settings.blend and source.is_blend):
        return nullcontext()
    request: Facts = {
        "do": "bake",
        "blend": str(source.path.resolve()),
        "take": str(files.named("take.npz").resolve()),
        "out": str(files.named("blend").resolve()),
        "audio_offset_s": footage.audio_offset_s,
        "whole_frames": settings.whole_frames,
        "reduce_keys": settings.reduce_keys,
        **settings.keying(),
    }
    if source.object:
        request["object"] = source.object
    if shown is not None:
        request["video"] = str(shown.resolve())
    if footage.has_audio:
        request["audio"] = str(settings.video.resolve())
    return prepare_blender(request, blender=settings.blender, hook=hook, folder=files.job)


def write_blend(asking: Waiting, blender: Path | None, warnings: list[str]) -> Steps[FacecapError | None]:
    """Wait for the .blend; returns None when it was written, else why it was not, which the warnings say, too.

    Whatever goes wrong in Blender must not cost what was found before it: see `check_blend`.
    """
    try:
        facts = yield from await_blender(asking, "blend")
    except CancelledError:
        raise
    except FacecapError as error:
        failure = error
    except Exception as error:  # where this process is Blender's, its faults come as they are
        failure = FacecapError(
            f"Blender's part failed: {type(error).__name__}: {error}.", "Please report this.", exit_code=1
        )
    else:
        warnings += [str(note) for note in facts.get("notes", ())]
        return None
    warnings.append(f"No .blend was written: {failure.what} {failure.way_out}")
    return failure


def check_blend(failure: FacecapError | None, blender: Path | None) -> None:
    """Raise what kept the .blend from being written, now that all else is there.

    That this machine has no Blender, and none was named, is no failure.
    """
    if failure is None or (isinstance(failure, NoBlenderError) and blender is None):
        return
    raise FacecapError(
        f"All files but the .blend were written: {failure.what}", failure.way_out, exit_code=failure.exit_code
    ) from failure


def ask_for_blend(
    request: Facts,
    target: Path,
    *,
    blender: Path | None,
    hook: BlenderHook | None,
    folder: Path,
    notes: list[str],
) -> Steps[Path | None]:
    """Have Blender write a .blend, the last file of a job; None, and a note that says why, without a Blender.

    Args:
        request: but for where to write.  target: where.
    Other args and errors: see `ask_blender` and `check_blend`.
    """
    asking = ask_blender(request | {"out": str(target.resolve())}, blender=blender, hook=hook, folder=folder)
    failure = yield from write_blend(asking, blender, notes)
    check_blend(failure, blender)
    return None if failure else target


def start_blend(asking: Waiting) -> Waiting:
    """The same, after Blender was told to begin: it works on while this process does something else."""
    next(asking)
    return asking


@dataclass(frozen=True)
class Account:
    """Writes what there is to say about a solve: summary and report.

    Attributes:
        summary_paths: where the summary goes.  report_path: where the report goes; None: not wished for.
        take, rig, thumbnails, title, head_check: what the report shows.
        summarise: the summary as it is now.
        clock: counts what the report takes.
    """

    summary_paths: Sequence[Path]
    report_path: Path | None
    take: Take
    rig: BlendshapeRig
    thumbnails: Sequence[Thumbnail]
    title: str
    summarise: Callable[[], Facts]
    timer: StageTimer
    head_check: HeadCheck | None = None

    def write(self) -> Facts:
        """Write both; returns the summary."""
        if self.report_path is not None:
            with self.timer.stage("files"):
                write_report(
                    self.report_path,
                    take=self.take,
                    rig=self.rig,
                    thumbnails=self.thumbnails,
                    summary=self.summarise(),
                    title=self.title,
                    head_check=self.head_check,
                )
        summary = self.summarise()
        if self.head_check is not None:
            summary["head_shows"] = self.head_check.shares
        for path in self.summary_paths:
            write_summary(path, summary)
        return summary


def finish(
    account: Account,
    preview: Steps[None] | None,
    asking: Waiting | None,
    *,
    blender: Path | None,
    warnings: list[str],
) -> Steps[tuple[Facts, FacecapError | None]]:
    """Make the preview and wait for the .blend, then write the account, which no fault in either may cost.

    A job that is cancelled leaves no account: a summary says that all is there.

    Args:
        preview: makes the preview; None: not wished for.  asking: the .blend, begun; None: there is nothing to key.
    Returns:
        the summary, and what kept the .blend from being written, for `check_blend`.
    """
    failure: FacecapError | None = None
    try:
        if asking is not None:
            yield Progress("blend", 0, 1)
        with account.timer.stage("preview"):
            if preview is not None:
                yield from preview
        with account.timer.stage("blend"):
            if asking is not None:
                failure = yield from write_blend(asking, blender, warnings)
    except CancelledError:
        raise
    except Exception:
        account.write()
        raise
    return account.write(), failure


def summary_of(
    take: Take, timer: StageTimer, warnings: list[str], *, landmarks_reused: bool, frames: int | None = None
) -> Facts:
    """What `summary.json` holds.

    Args:
        frames: how many were worked on, where that is not all of the take.
    """
    solved = int(take.solved.sum())
    seconds = timer.seconds()
    error = average_error(take)
    return {
        "take": str(take.provenance.get(ID, "")),
        "frames_decoded": take.frame_count,
        "frames_solved": solved,
        "frames_missing": take.frame_count - solved,
        "bad_frames": [
            {"first_s": float(take.time_s[one.first]), "last_s": float(take.time_s[one.last]), "why": one.text}
            for one in find_bad_stretches(take)
        ],
        "fps": (take.frame_count if frames is None else frames) / seconds["total"],
        "seconds": seconds,
        "residual_px": None if error is None else error.px,
        "error_of_eye_distance": None if error is None or not error.of_eyes else error.of_eyes,
        "focal_px": take.focal_px,
        "actor": None if take.actor is None else take.actor.facts(),
        "not_observed": list(take.not_observed),
        "inferred": list(take.inferred),
        "landmarks_reused": landmarks_reused,
        "versions": versions(),
        "warnings": list(dict.fromkeys(warnings)),
    }
