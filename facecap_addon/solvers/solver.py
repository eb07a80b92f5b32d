"""Solvers at work: pictures in, vertices or weights out, through onnxruntime. Needs no torch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import F32
from ..errors import FacecapError
from ..landmarks.layout import IBUG_68
from ..rig.blendshapes import BlendshapeRig
from .bundle import SolverBundle
from .crop import Box, Size, cut, is_same_shape, place_crop
from .eye_alignment import align_eyes, fit_eye_alignment
from .frame_rate import SequenceClock
from .probes import (
    INT8_SUFFIX,
    answers_agree,
    draw_test_pictures,
    int8_answers_agree,
    open_network,
    run_on_pictures,
    run_sequence,
)


class TrainedSolver:
    """A bundle that is open.

    Attributes:
        landmarks: (68, 2) float32, iBUG's mark-up in parts of the picture of the frame solved last, where the solver
            finds landmarks; else None.
        crop_box: left, top, width, height of what it sees, in parts of the pictures; see `fit_to`.
        notes: what there is to say about how it runs here, for people.

    Args:
        bundle: what to run.  threads: for onnxruntime.
        precision: "fp32", or "int8" where the bundle has it and this processor calculates it rightly.
    Raises:
        FacecapError: onnxruntime cannot open a network, its shapes are not those the bundle announces, or it does not
            give here what it gave where it was made.
    """

    def __init__(self, bundle: SolverBundle, *, threads: int = 1, precision: str = "fp32") -> None:
        self.bundle, self.facts = bundle, bundle.facts
        self.crop_box: Box = bundle.facts.crop
        self._fitted_to: Size | None = None if bundle.facts.framing is None else bundle.facts.framing.size_px
        self._table = self.facts.whitening.make_table()
        self.notes: tuple[str, ...] = ()
        self._channels = self.facts.picture.channels * self.facts.cameras
        self._state: tuple[F32, F32] | None = None
        self._answer = np.zeros(len(bundle.facts.channels), np.float32)
        self._clock = SequenceClock(None if bundle.facts.framing is None else bundle.facts.framing.rate_fps)
        size = (1, self._channels, self.facts.picture.height, self.facts.picture.width)
        self.landmarks: F32 | None = None
        self._sequence: Any = None
        first = "mesh" if self.facts.kind == "mesh" else "face" if "face" in bundle.networks else "embedding"
        self._network = self._open_int8(first, threads, size) if precision == "int8" else None
        if self._network is None:
            self._network = _open(bundle, first, threads)
            self._check_answers(first, lambda: run_on_pictures(self._network, self._whiten_probes()))
        if first == "face":
            self._run_face(np.zeros(size, np.float32))
            self.landmarks = None
        elif first == "mesh":
            self._check(self._run(self._network, np.zeros(size, np.float32))[0], 3 * len(bundle.moving))
        else:
            # The LSTM is small: a second pool of waiting threads would only take time from the first.
            self._sequence = _open(bundle, "sequence", 1)
            self._check_answers(
                "sequence", lambda: run_sequence(self._sequence, self._get_expected_answers("embedding"))
            )
            self._state_shape = tuple(self._sequence.get_inputs()[1].shape)
            if len(self._state_shape) != 3 or not all(isinstance(n, int) and 0 < n <= 4096 for n in self._state_shape):
                raise FacecapError(f"The solver {self.facts.name} has an absurd state.", "Export it again.")
            self._check(
                self._run_step(self._run(self._network, np.zeros(size, np.float32))[0]), len(self.facts.channels)
            )
            self.start_shot()

    def _open_int8(self, first: str, threads: int, size: tuple[int, int, int, int]) -> Any:
        """The 8-bit network where there is one that runs rightly here; else None, and a note why not."""
        name = first + INT8_SUFFIX
        if name not in self.bundle.networks:
            self.notes += (f"The solver {self.facts.name} holds no 8-bit network: 32 bits are used.",)
            return None
        network = _open(self.bundle, name, threads)
        try:
            if self.bundle.probes is not None and {first, name} <= set(self.bundle.probes.answers):
                seen, exact, plain = (
                    self._whiten_probes(),
                    self._get_expected_answers(name),
                    self._get_expected_answers(first),
                )
            else:  # of an older version: what it has to give is found here, once slowly
                seen = self._table[draw_test_pictures(size[1:], self.facts.whitening)]
                exact = run_on_pictures(_open(self.bundle, name, threads, exact=True), seen)
                plain = run_on_pictures(_open(self.bundle, first, threads), seen)
            agrees = int8_answers_agree(run_on_pictures(network, seen), exact, plain)
        except Exception as error:  # onnxruntime has no error class of its own to name
            raise self._make_run_error() from error
        if agrees:
            return network
        self.notes += (
            f"This processor calculates the 8-bit network of {self.facts.name} wrongly: 32 bits are used, which are "
            "slower. Train or export it again with this version of FaceCap for 8 bits that are right everywhere.",
        )
        return None

    def _check_answers(self, name: str, answers: Callable[[], F32]) -> None:
        """Raises FacecapError where a 32-bit network does not give what it gave where it was made."""
        if self.bundle.probes is None or name not in self.bundle.probes.answers:
            return
        try:
            found = answers()
        except Exception as error:  # as above
            raise self._make_run_error() from error
        if not answers_agree(found, self._get_expected_answers(name)):
            raise FacecapError(
                f"The solver {self.facts.name} gives other faces on this computer than where it was made.",
                "Export it again. If that does not help, onnxruntime does not work on this processor: solve on another "
                "computer, or fast, with --method landmarks.",
            )

    def _whiten_probes(self) -> F32:
        """(P, C, H, W) float32: the bundle's probes, whitened."""
        assert self.bundle.probes is not None
        return self._table[self.bundle.probes.pictures]

    def _get_expected_answers(self, name: str) -> F32:
        """(P, N) float32: what a network has to give for the bundle's probes."""
        assert self.bundle.probes is not None
        return self.bundle.probes.answers[name]

    def start_shot(self) -> None:
        """Forget the frames before: the next one begins a shot."""
        self._state = None
        self._clock.restart()

    def sees_whole(self, size: Size) -> bool:
        """Whether pictures of a size (width, height) px are seen as those that were learned from, without `fit_to`."""
        return self.facts.framing is None or is_same_shape(size, self.facts.framing.size_px)

    def fit_to(self, size: Size, boxes: NDArray[np.floating] | None = None, side_size: Size | None = None) -> str:
        """Make ready for pictures of a size; what there is to say about it, or "".

        Where they have another shape than those learned from, the crop is placed about the face as it lay there.

        Args:
            size: (width, height) px.  boxes: (F, 4) of the face in parts of the pictures, NaN where there is none.
            side_size: of the second camera's pictures.
        Raises:
            FacecapError: the shape is another and no face says where to look, or it is the second camera's.
        """
        framing = self.facts.framing
        if framing is None:
            return (
                f"The solver {self.facts.name} is of an older version and does not know the shape of the pictures that "
                "it learned from: faces are seen rightly where this footage has the same. Train it again to have that "
                "looked after."
            )
        if side_size is not None and framing.side_size_px and not is_same_shape(side_size, framing.side_size_px):
            raise self._make_shape_error("second camera's pictures", side_size, framing.side_size_px)
        if is_same_shape(size, framing.size_px):
            self.crop_box, self._fitted_to = self.facts.crop, size
            return ""
        crop = self.facts.crop
        aspect = crop[2] * framing.size_px[0] / (crop[3] * framing.size_px[1])
        placed = None if boxes is None else place_crop(framing.face, aspect, boxes, size)
        if placed is None:
            raise self._make_shape_error("pictures", size, framing.size_px)
        self.crop_box, self._fitted_to = placed, size
        return (
            f"The pictures are {size[0]}×{size[1]}, the solver {self.facts.name} learned from "
            f"{framing.size_px[0]}×{framing.size_px[1]}: its crop is placed about the face as it lay there."
        )

    def _make_shape_error(self, what: str, size: Size, wanted: Size) -> FacecapError:
        return FacecapError(
            f"The {what} are {size[0]}×{size[1]}, the solver {self.facts.name} learned from "
            f"{wanted[0]}×{wanted[1]}, and no face says where to look: faces would be squeezed.",
            f"Give pictures of the same shape: film in {wanted[0]}×{wanted[1]}, or crop the footage to it.",
        )

    def solve(
        self,
        picture: NDArray[np.uint8],
        side: NDArray[np.uint8] | None = None,
        face: NDArray[np.floating] | None = None,
        time_s: float | None = None,
    ) -> F32:
        """What a frame gives.

        Args:
            picture: (H, W, 3) uint8 RGB, the footage's frame.  side: of the second camera, where the solver wants one.
            face: (3, 2) right eye, left eye and nose in parts of the picture, where the solver wants them.
            time_s: of the frame; where it is given, solvers that learned motion follow it at the rate they learned it.
        Returns:
            (M, 3) float32 m, the moving vertices; or (K,) float32 weights.
        Raises:
            FacecapError: the picture has another shape than those learned from, and not that of `fit_to`.
        """
        return self.solve_crop(self.crop(picture, side, face), time_s)

    def crop(
        self,
        picture: NDArray[np.uint8],
        side: NDArray[np.uint8] | None = None,
        face: NDArray[np.floating] | None = None,
    ) -> NDArray[np.uint8]:
        """(C, H, W) uint8: what of a frame the network sees; arguments as `solve`."""
        size = (picture.shape[1], picture.shape[0])
        if self._fitted_to is not None and not is_same_shape(size, self._fitted_to):
            raise self._make_shape_error("pictures", size, self._fitted_to)
        front = cut(picture, self.crop_box, self.facts.picture)
        if self.facts.aligned_eyes is not None:
            if face is None:
                raise FacecapError("This solver needs landmarks to hold the picture still.", "Solve without --no-head.")
            seen = (self.facts.picture.width, self.facts.picture.height)
            at = (np.asarray(face) - self.crop_box[:2]) / self.crop_box[2:] * seen - 0.5
            front = align_eyes(
                front[None], fit_eye_alignment(at[None].astype(np.float32), np.array(self.facts.aligned_eyes))
            )[0]
        if self.facts.side_crop is None:
            return front
        if side is None:
            raise FacecapError(
                "This solver was trained with a second camera from the side.", "Give its footage, too: --side-video."
            )
        return np.concatenate([front, cut(side, self.facts.side_crop, self.facts.picture)])

    def to_full_mesh(self, rig: BlendshapeRig, found: F32) -> F32:
        """(V, 3) float32 m: the character under what `solve` gave."""
        if self.facts.kind == "weights":
            return rig.vertices_at(np.clip(found, rig.ranges[:, 0], rig.ranges[:, 1]))
        out = rig.neutral.copy()
        out[self.bundle.moving] = found
        return out

    def solve_crop(self, crop: NDArray[np.uint8], time_s: float | None = None) -> F32:
        """As `solve`, from a crop (C, H, W) uint8."""
        seen = self._table[crop][None]
        if self.facts.kind == "mesh":
            return self._run(self._network, seen)[0].reshape(-1, 3)
        if self._sequence is None:
            return self._run_face(seen)
        embedding = self._run(self._network, seen)[0]
        if time_s is None:
            return self._run_step(embedding)[0]
        steps = self._clock.step(time_s, embedding)
        if steps.restart:
            self._state = None
        for one in steps.ticks:
            self._answer = self._run_step(one)[0]
        if steps.beside is None:
            return self._answer
        kept = self._state
        ahead = self._run_step(steps.beside)[0]
        self._state = kept
        return self._answer + np.float32(steps.share) * (ahead - self._answer)

    def _run_face(self, seen: F32) -> F32:
        weights, landmarks = self._run(self._network, seen)
        self._check(weights, len(self.facts.channels))
        self._check(landmarks, 2 * IBUG_68.count)
        crop = np.array(self.crop_box, np.float32)
        self.landmarks = landmarks.reshape(-1, 2) * crop[2:] + crop[:2]
        return weights[0]

    def _run_step(self, embedding: F32) -> F32:
        hidden, cell = self._state or (np.zeros(self._state_shape, np.float32), np.zeros(self._state_shape, np.float32))
        feed = {"embedding": embedding.reshape(1, 1, -1), "hidden": hidden, "cell": cell}
        weights, hidden, cell = self._sequence.run(["weights", "hidden_after", "cell_after"], feed)
        self._state = (hidden, cell)
        return np.asarray(weights, np.float32).reshape(1, -1)

    def _run(self, network: Any, pictures: F32) -> list[F32]:
        try:
            return [np.asarray(found, np.float32) for found in network.run(None, {"picture": pictures})]
        except Exception as error:  # as above
            raise self._make_run_error() from error

    def _make_run_error(self) -> FacecapError:
        return FacecapError(f"The solver {self.facts.name} cannot be run.", "Export it again.")

    def _check(self, found: F32, wanted: int) -> None:
        if found.size != wanted:
            raise FacecapError(
                f"The solver {self.facts.name} gives {found.size} numbers and announces {wanted}; it is refused.",
                "Export it again.",
            )


def _open(bundle: SolverBundle, name: str, threads: int, *, exact: bool = False) -> Any:
    try:
        return open_network(bundle.networks[name], threads, exact=exact)
    except Exception as error:
        raise FacecapError(f"The solver {bundle.facts.name} cannot be opened.", "Export it again.") from error
