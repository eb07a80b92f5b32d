"""Whether the head shows what the footage shows, looked at in some frames of a take for its report."""

from __future__ import annotations

from collections.abc import Callable

from ...arrays import U8
from ...errors import CancelledError, FacecapError
from ...footage.footage import Footage
from ...landmarks.observations import Observations
from ...landmarks.protocol import Landmarker
from ...reports.head_check import ROWS, HeadCheck, check_head
from ...reports.thumbnails import THUMBNAIL_PX, cut_face
from ...rig.blendshapes import BlendshapeRig
from ...rig.embedding import LandmarkEmbedding
from ...takes.take import Take
from ..runtime.progress import Progress, Steps
from ..runtime.threaded_progress import run_threaded
from .frame_access import FrameAccess


def compare_footage_and_head(
    take: Take,
    rig: BlendshapeRig,
    embedding: LandmarkEmbedding,
    footage: Footage,
    observations: Observations | None,
    landmarker: Landmarker,
    warnings: list[str],
    kept_face: Callable[[int], U8 | None],
) -> Steps[HeadCheck | None]:
    """Look at some frames of footage and head, reporting them; None where there is nothing to compare.

    Args:
        take: F rows, those of the footage.  rig: what it moves.  embedding: landmarks on it.
        observations: F rows of the footage; None: no landmarks were looked for.  landmarker: the network behind them.
        warnings: what goes wrong here is added to them: the take is written, and a picture of it less is no failure.
        kept_face: the face in a frame of the footage where it was kept while landmarks were found, else None.
    """
    if observations is None or observations.frame_count != take.frame_count:
        return None
    yield Progress("check", 0, ROWS)

    picture_of = FrameAccess(footage)

    def face_of(row: int) -> U8:
        kept = kept_face(int(observations.frame_index[row]))
        return kept if kept is not None else cut_face(picture_of(row), observations.landmarks_px[row], THUMBNAIL_PX)

    try:
        return (
            yield from run_threaded(
                "check",
                lambda on_progress: check_head(
                    take, rig, embedding.head_from_rig, observations, landmarker, face_of, on_progress
                ),
            )
        )
    except CancelledError:
        raise
    except FacecapError as error:
        warnings.append(f"Footage and head were not compared. {error}")
        return None
    finally:
        picture_of.close()
