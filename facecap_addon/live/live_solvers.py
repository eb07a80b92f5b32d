"""From a captured picture or packet to a face of the character."""

from __future__ import annotations

from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

import numpy as np
from scipy.spatial.transform import Rotation

from ..arrays import F32
from ..errors import FacecapError
from ..fit.causal import LiveFit
from ..fit.pose_known_shape import FOCAL_WIDTHS, head_poses
from ..geometry.quaternions import HEAD_FRONT_WXYZ, wxyz_of
from ..landmarks.layout import IBUG_68, MEDIAPIPE_OF_IBUG
from ..landmarks.protocol import Landmarker
from ..landmarks.tracking.face_gate import FaceGate
from ..landmarks.tracking.face_tracker import FaceTracker
from ..landmarks.tracking.observe import observation_of
from ..landmarks.tracking.prefetch import Upcoming
from ..rig.blendshapes import BlendshapeRig
from ..rig.channels import ARKIT_CHANNELS, arkit_name, match_channels
from ..rig.embedding import LandmarkEmbedding, landmark_geometry
from ..rig.sides import exchange_sideways
from ..solvers.face_keypoints import extract_face_keypoints
from ..solvers.solver import TrainedSolver
from ..takes.formats.live_link import look_gaze
from .live_frame import LiveFace
from .sources.capture_thread import Captured, LivePacket, LivePicture
from .wire.formats import WireFormat
from .wire.wire_face import WireFace

_AWAY_M = 0.6
_LEARNED_FRAMES = 30
"""Frames in which it is seen where the face is, for a crop that then stays."""


class Method(Protocol):
    """What makes faces.

    Attributes:
        known: 0..1, how far the performer is known; below 1 there are no faces yet.
        unknown: channels that it gives and the character has no key for.  notes: what there is to say, for people.
    """

    unknown: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def known(self) -> float: ...

    def step(self, captured: Captured) -> LiveFace | None:
        """The face of what was captured; None where there is none (yet)."""
        ...

    def set_neutral(self) -> bool:
        """Told that the face is at rest now; whether that needs no more to be done."""
        ...


class LandmarkMethod:
    """The landmark fit, causal."""

    unknown: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def __init__(self, landmarker: Landmarker, fit: LiveFit) -> None:
        self._landmarker, self._fit = landmarker, fit
        self._pool = ThreadPoolExecutor(1)  # the follower's own, for looks ahead: live, nothing lies ahead
        self._follower = FaceTracker(landmarker, self._pool, 1.0, mirrored_too=False)

    def step(self, captured: Captured) -> LiveFace | None:
        assert isinstance(captured, LivePicture)
        seen = self._follower.step(captured, Upcoming(_nothing()))
        observed = observation_of(captured, seen, self._follower.other_faces, self._landmarker.landmark_count)
        pose = self._fit.step(observed)
        if pose is None:
            return None
        return LiveFace(captured.time_s, pose.weights, pose.head_wxyz, pose.head_m, pose.gaze_rad, pose.confidence)

    def set_neutral(self) -> bool:
        return self._fit.set_neutral()

    @property
    def known(self) -> float:
        return self._fit.known


def _nothing() -> Generator[LivePicture, None, None]:
    """What lies ahead of a live picture."""
    yield from ()


class SolverMethod:
    """A trained solver of weights; the head's pose from its landmarks, where it finds some, gaze from keys of looking.

    Where a picture shows no face there is none, whatever the network makes of the wall. Pictures of another shape than
    those learned from are seen about the face, where it was in the first second.

    Args:
        solver: open.  rig: the character.  embedding: its landmarks, for the head's pose, or None.
        size_px: of pictures.  focal_px: of the camera, or None.
        gate: sees whether a picture shows a face; None: every one does.
    """

    def __init__(
        self,
        solver: TrainedSolver,
        rig: BlendshapeRig,
        embedding: LandmarkEmbedding | None,
        size_px: tuple[int, int],
        focal_px: float | None,
        gate: FaceGate | None = None,
    ) -> None:
        if solver.facts.kind != "weights" or solver.facts.cameras != 1 or solver.facts.aligned_eyes is not None:
            raise FacecapError(
                f"The solver {solver.facts.name} gives no weights, which live capture needs.",
                "Train one with --network dfcn: it is made for live capture.",
            )
        self._solver, self._rig, self._size, self._gate = solver, rig, size_px, gate
        self.notes: tuple[str, ...] = ()
        self._focal = focal_px or FOCAL_WIDTHS * max(size_px)
        self.columns, self.unknown = match_channels(solver.facts.channels, rig.channels)
        self._points: tuple[F32, F32] | None = None
        if embedding is not None:
            neutral, deltas = landmark_geometry(rig, embedding)
            chosen = list(range(IBUG_68.count)) if embedding.scheme == IBUG_68.scheme else list(MEDIAPIPE_OF_IBUG)
            self._used = np.array([i for i in range(IBUG_68.count) if i not in IBUG_68.outline])
            self._points = neutral[chosen][self._used], deltas[:, chosen][:, self._used]
        self._follows, self._boxes = not solver.sees_whole(size_px), np.zeros((0, 4), np.float32)
        if gate is None or not self._follows:
            self.notes = tuple(filter(None, (solver.fit_to(size_px),)))
        else:
            self.notes = (
                f"The pictures have another shape than those that {solver.facts.name} learned from: it is seen in the "
                "first second where the face is.",
            )
        solver.start_shot()
        self.known = 1.0

    def step(self, captured: Captured) -> LiveFace | None:
        assert isinstance(captured, LivePicture)
        if self._gate is not None and not self._shows_face(self._gate, captured):
            self._solver.start_shot()
            return None
        found = self._solver.solve(captured.image, time_s=captured.time_s)
        weights = np.zeros(len(self._rig.channels), np.float32)
        weights[self.columns[0]] = found[self.columns[1]]
        weights = np.clip(weights, self._rig.ranges[:, 0], self._rig.ranges[:, 1])
        turn, place = np.array(HEAD_FRONT_WXYZ, np.float32), np.array([0, 0, _AWAY_M], np.float32)
        if self._solver.landmarks is not None and self._points is not None:
            points = self._points[0] + np.tensordot(weights, self._points[1], 1)
            seen = self._solver.landmarks[self._used] * self._size - 0.5
            rotation, shift, residual = head_poses(
                points[None].astype(np.float64), seen[None].astype(np.float64), self._focal, self._size
            )
            if np.isfinite(residual[0]):
                turn = wxyz_of(Rotation.from_matrix(rotation[0])).astype(np.float32)
                place = shift[0].astype(np.float32)
        gaze = look_gaze(self._solver.facts.channels, found[None])[0].astype(np.float32)
        return LiveFace(captured.time_s, weights, turn, place, gaze, 1.0)

    def _shows_face(self, gate: FaceGate, captured: LivePicture) -> bool:
        """Whether a picture shows a face; where its shape asks for that, the crop is placed about it."""
        if not self._follows or len(self._boxes) >= _LEARNED_FRAMES:
            return gate.shows_face(captured)
        seen = gate.look(captured)
        if seen is not None:
            size = (captured.image.shape[1], captured.image.shape[0])
            box = extract_face_keypoints(seen.landmarks_px[None], size, gate.scheme)[1]
            self._boxes = np.concatenate([self._boxes, box])
            self._solver.fit_to(size, self._boxes)
        return seen is not None

    def set_neutral(self) -> bool:
        return False


class PacketMethod:
    """What a phone or a program has solved already.

    Args:
        rig: the character.  form: of what is sent.
        exchange: whether the sender means the opposite by the channels that name a direction, see `rig.sides`.
    """

    notes: tuple[str, ...] = ()

    def __init__(self, rig: BlendshapeRig, form: WireFormat, *, exchange: bool = False) -> None:
        self._rig, self._form, self._exchange, self.known = rig, form, exchange, 1.0
        self.unknown: tuple[str, ...] = ()
        self._channels: tuple[str, ...] = ()
        self._columns = match_channels((), rig.channels)[0]
        if form.named:
            self.unknown = self._match(ARKIT_CHANNELS)

    def step(self, captured: Captured) -> LiveFace | None:
        assert isinstance(captured, LivePacket)
        return self.face_of(captured.packet, captured.time_s)

    def face_of(self, sent: WireFace, time_s: float) -> LiveFace | None:
        """The character's face of what was sent; None where the sender sees none. Raises FacecapError: no key fits."""
        if sent.weights is None:
            return None
        if sent.channels != self._channels:
            self._match(sent.channels)
        weights = np.zeros(len(self._rig.channels), np.float32)
        weights[self._columns[0]] = sent.weights[self._columns[1]]
        weights = np.clip(weights, self._rig.ranges[:, 0], self._rig.ranges[:, 1])
        turn = HEAD_FRONT_WXYZ if sent.head_wxyz is None else sent.head_wxyz
        place = (0, 0, _AWAY_M) if sent.head_m is None else sent.head_m
        gaze = look_gaze(sent.channels, sent.weights[None])[0] if sent.gaze_rad is None else sent.gaze_rad
        return LiveFace(
            time_s, weights, np.array(turn, np.float32), np.array(place, np.float32), np.array(gaze, np.float32), 1.0
        )

    def _match(self, channels: tuple[str, ...]) -> tuple[str, ...]:
        """Find the keys that channels move; those that none has."""
        self._channels = channels
        meant = [exchange_sideways(arkit_name(name) or name) for name in channels] if self._exchange else channels
        self._columns, unknown = match_channels(meant, self._rig.channels)
        if channels and not len(self._columns[0]):
            raise FacecapError(
                f"None of the character's shape keys is one that {self._form.label} sends.",
                "Rename its keys to ARKit's.",
            )
        return unknown

    def set_neutral(self) -> bool:
        return False
