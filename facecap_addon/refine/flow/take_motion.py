"""What the optical flow of all cameras says of a take: gaps filled by it, neighbours made consistent by it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from ...arrays import F64, Bools
from ...fit.energies.weight_priors import ChannelPriors
from ...render.renderer import Appearance
from ..chunk_store import ChunkStore
from ..render_mesh import RenderMesh
from ..shots import Shot
from ..state import DeepState
from .face_motion import measure_face_motion
from .gaps import Gaps
from .infill import FurtherFlow, infill
from .optical_flow import FootageFlow, OpticalFlow
from .rendered_flow import RenderedFlow
from .surface_points import ViewedPoints, sample_surface_points
from .temporal import refine_in_time


class TakeMotion:
    """The optical flow of a take's cameras.

    Args:
        mesh: the character.  shots: cameras, the take's own first.  flow: how it is found.  time_s: (F,).
        priors: of the take's channels.  workers: frames worked on at once.  store: finished parts.
    """

    def __init__(
        self,
        mesh: RenderMesh,
        shots: list[Shot],
        flow: OpticalFlow,
        time_s: F64,
        priors: ChannelPriors,
        workers: int,
        store: ChunkStore,
    ) -> None:
        self.shots, self.flow, self.time_s, self.priors = shots, flow, time_s, priors
        self.workers, self.store = workers, store
        points = sample_surface_points(mesh)
        self.viewed = [ViewedPoints(mesh, points, shot.view) for shot in shots]

    def fill(
        self, state: DeepState, gaps: Gaps, look: Appearance | None, on_frame: Callable[[int, int], None]
    ) -> Bools:
        """Solve gaps, in place; returns (F,) which frames.

        Args:
            state: of all frames.  look: skin and light of renders whose flow is compared with the footage's; None: the
                surface's motion itself is.
            on_frame: called with frames done and in all; it may raise to cancel.
        """
        renders = RenderedFlow(self.flow, self.viewed[0], look) if look is not None else None
        filled = np.zeros(len(self.time_s), bool)
        total = sum(last - first + 1 for first, last in gaps.filled)
        footage, *aside = (FootageFlow(self.flow, shot.picture) for shot in self.shots)
        further = [
            FurtherFlow(viewed, seen_there, shot.seen)
            for viewed, seen_there, shot in zip(self.viewed[1:], aside, self.shots[1:], strict=True)
        ]
        for gap in gaps.filled:
            rows = slice(gap[0], gap[1] + 1)
            found = infill(
                *(self.viewed[0], footage, state, gap, self.time_s, self.priors.precision, self.priors.smooth),
                good=gaps.present | filled,
                renders=renders,
                further=further,
                on_frame=partial(on_frame, int(filled.sum()), total),
            )
            state.put(rows, found)
            filled[rows] = True
        return filled

    def refine_in_time(
        self,
        state: DeepState,
        good: Bools,
        shown: Bools,
        precision: F64,
        method: str,
        smoothness: float,
        progress: Callable[[str, int, int], None],
    ) -> DeepState:
        """Neighbours made consistent, see `temporal.refine_in_time`.

        Args:
            state: of all frames.  good: (F,) those that hold a result.  shown: (F,) of these, those in which the first
                camera shows the face: where one shows none, it shows no motion of it either.
            progress: called with (stage, done, in all); it may raise to cancel.
        """
        shows = [shown, *(good & shot.seen for shot in self.shots[1:])]
        motion, *aside = (
            measure_face_motion(
                *(viewed, FootageFlow(self.flow, shot.picture), state, seen, self.store),
                lambda done: progress("flow", done, int(good.sum())),
                camera,
            )
            for camera, (viewed, shot, seen) in enumerate(zip(self.viewed, self.shots, shows, strict=True))
        )
        return refine_in_time(
            *(self.viewed[0], state, motion, good, self.time_s, precision),
            method=method,
            smoothness=smoothness,
            workers=self.workers,
            further=list(zip(self.viewed[1:], aside, strict=True)),
            on_frame=lambda row: progress("time", row, len(self.time_s)),
        )
