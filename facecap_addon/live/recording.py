"""A recording of live faces as a take with the true times."""

from __future__ import annotations

import numpy as np

from ..errors import FacecapError
from ..geometry.quaternions import HEAD_FRONT_WXYZ
from ..takes.take import REGIONS, STATUS_MISSING, STATUS_SOLVED, Take
from .live_frame import LiveFace


class Recording:
    """Faces as they come.

    Args:
        channels: of the character.
    """

    def __init__(self, channels: tuple[str, ...]) -> None:
        self._channels = channels
        self._rows: list[tuple[float, LiveFace | None]] = []

    @property
    def first_s(self) -> float:
        """Time of the first frame, s; 0 where there is none."""
        return self._rows[0][0] if self._rows else 0.0

    def add(self, time_s: float, face: LiveFace | None) -> None:
        """Note a frame; None: no face was seen. Frames that are not later than the last are left out."""
        if not self._rows or time_s > self._rows[-1][0]:
            self._rows.append((time_s, face))

    def take(self, provenance: dict[str, object], size_px: tuple[int, int]) -> Take:
        """What was recorded, from time 0. Raises FacecapError where no frame holds a face."""
        if not any(face is not None for _, face in self._rows):
            raise FacecapError("Nothing was recorded: no face was seen meanwhile.", "Look into the camera and record.")
        blank = LiveFace(
            0.0,
            np.zeros(len(self._channels), np.float32),
            np.array(HEAD_FRONT_WXYZ, np.float32),
            np.zeros(3, np.float32),
            np.zeros((2, 2), np.float32),
            0.0,
        )
        faces = [face or blank for _, face in self._rows]
        seen = np.array([face is not None for _, face in self._rows])
        time_s = np.array([t for t, _ in self._rows])
        frames = len(faces)
        head = np.stack([f.head_wxyz for f in faces])
        head /= np.maximum(np.linalg.norm(head, axis=1, keepdims=True), 1e-9)
        return Take(
            time_s=time_s - time_s[0],
            channels=self._channels,
            weights=np.stack([f.weights for f in faces]).astype(np.float32),
            head_rotation_wxyz=head.astype(np.float32),
            head_translation_m=np.stack([f.head_m for f in faces]).astype(np.float32),
            gaze_rad=np.stack([f.gaze_rad for f in faces]).astype(np.float32),
            confidence=np.repeat(np.array([f.confidence for f in faces], np.float32)[:, None], len(REGIONS), 1),
            regions=REGIONS,
            status=np.where(seen, STATUS_SOLVED, STATUS_MISSING).astype(np.int8),
            landmarks_px=np.zeros((frames, 0, 2), np.float32),
            residual_px=np.full(frames, np.nan, np.float32),
            image_size=size_px,
            focal_px=0.0,
            provenance=provenance,
        )
