"""A trained solver in one file (.facecap): ONNX networks, a JSON that says what they are, and plain arrays.

solver.json        kind, crop, pictures, whitening, channels, mesh, training report
*.onnx             networks: "mesh", or "embedding" and "sequence"; "mesh.int8" where it was quantised
arrays.npz         moving vertices and the neutral they belong to, probes and their answers; no objects
progress.png       how the training went
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..atomic_file import atomic_path
from ..errors import UNREADABLE, FacecapError
from .crop import Box, Framing, PictureKind, read_size
from .onnx_check import check_onnx
from .probes import FORMAT as PROBES_FORMAT
from .probes import SolverProbes
from .whitening import Whitening

FORMAT = 2
"""1 calls `aligned_eyes` "steady"."""
ENDING = ".facecap"
KINDS = ("mesh", "weights")
NETWORKS = ("mesh", "mesh.int8", "embedding", "embedding.int8", "sequence", "face", "face.int8")
_PROBES = "probes"
_MOST_BYTES, _MOST_VERTICES, _MOST_SIDE, _MOST_PROBES = 2 << 30, 2_000_000, 2048, 16
_MOST_FPS = 10_000


@dataclass(frozen=True)
class SolverFacts:
    """What a solver is.

    Attributes:
        name: for people.  kind: "mesh" gives vertices, "weights" gives weights of channels: one network "face" does
            both these and landmarks, or an "embedding" is followed by a "sequence".
        crop, side_crop: rectangles of the cameras, see `crop`.  picture: what the network sees.
        mean, deviation: whitening of pictures in 0..1.
        channels: of the character it was trained on.  vertices: of that character.
        report: errors on shots kept back, and how it was trained, JSON-able.
        aligned_eyes: (3, 2) px of the picture, where right eye, left eye and nose are brought before the network looks
            (Laine et al. appendix B), or None.
        framing: what the footage learned looked like; None in solvers of older versions.
    """

    name: str
    kind: str
    crop: Box
    side_crop: Box | None
    picture: PictureKind
    mean: float
    deviation: float
    channels: tuple[str, ...]
    vertices: int
    report: dict[str, Any]
    aligned_eyes: tuple[tuple[float, float], ...] | None = None
    framing: Framing | None = None

    @property
    def cameras(self) -> int:
        return 1 if self.side_crop is None else 2

    @property
    def whitening(self) -> Whitening:
        return Whitening(self.mean, self.deviation)


@dataclass(frozen=True)
class SolverBundle:
    """A solver in memory.

    Attributes:
        facts: what it is.  networks: name to ONNX bytes.
        moving: (M,) int32, vertices that a mesh solver gives.  neutral: (V, 3) float32 m, of its character.
        picture: PNG of the training, or empty.  probes: pictures with known answers, absent in older solvers.
    """

    facts: SolverFacts
    networks: dict[str, bytes]
    moving: NDArray[np.int32]
    neutral: NDArray[np.float32]
    picture: bytes = b""
    probes: SolverProbes | None = None


def save_bundle(path: Path, bundle: SolverBundle) -> None:
    """Write a solver, completely or not at all."""
    arrays = io.BytesIO()
    facts = {"format": FORMAT, **asdict(bundle.facts)}
    probed: dict[str, NDArray[Any]] = {}
    if bundle.probes is not None:
        facts["probes"] = {"format": PROBES_FORMAT, "networks": list(bundle.probes.answers)}
        probed = {_PROBES: bundle.probes.pictures}
        probed |= {f"{_PROBES}/{name}": answers for name, answers in bundle.probes.answers.items()}
    np.savez_compressed(arrays, moving=bundle.moving, neutral=bundle.neutral, **probed)
    with atomic_path(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("solver.json", json.dumps(facts, indent=1))
        archive.writestr("arrays.npz", arrays.getvalue())
        for name, model in bundle.networks.items():
            archive.writestr(f"{name}.onnx", model)
        if bundle.picture:
            archive.writestr("progress.png", bundle.picture)


def load_bundle(path: Path) -> SolverBundle:
    """Read a solver. Raises FacecapError if it is damaged, too large, or holds anything that does not belong there."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = _read_members(archive, path)
            given = json.loads(members["solver.json"])
            facts = _read_facts(given)
            with np.load(io.BytesIO(members["arrays.npz"]), allow_pickle=False) as arrays:
                moving, neutral = arrays["moving"].astype(np.int32), arrays["neutral"].astype(np.float32)
                probes = _read_probes(given, arrays, facts)
            networks = {name: members[f"{name}.onnx"] for name in NETWORKS if f"{name}.onnx" in members}
    except FileNotFoundError as error:
        raise FacecapError(f"There is no solver {path}.", "Check the path.") from error
    except UNREADABLE as error:
        raise FacecapError(f"{path.name} is damaged or no solver.", "Export it again.") from error
    needed = ("mesh",) if facts.kind == "mesh" else ("face",) if "face" in networks else ("embedding", "sequence")
    missing = [name for name in needed if name not in networks]
    outside = len(moving) and (moving.min() < 0 or moving.max() >= facts.vertices)
    if missing or outside or neutral.shape != (facts.vertices, 3) or not np.isfinite(neutral).all():
        raise FacecapError(f"{path.name} is incomplete or inconsistent.", "Export it again.")
    for name, model in networks.items():
        check_onnx(model, f"{name} of {path.name}")
    return SolverBundle(facts, networks, moving, neutral, members.get("progress.png", b""), probes)


def _read_probes(given: dict[str, Any], arrays: Mapping[str, NDArray[Any]], facts: SolverFacts) -> SolverProbes | None:
    """Probes and their answers; None in solvers of versions that had none, or others."""
    described = given.get("probes")
    if described is None or described["format"] != PROBES_FORMAT:
        return None
    pictures = arrays[_PROBES]
    shape = (facts.picture.channels * facts.cameras, facts.picture.height, facts.picture.width)
    answers = {str(name): arrays[f"{_PROBES}/{name}"] for name in described["networks"]}
    fits = (
        0 < len(pictures) <= _MOST_PROBES
        and pictures.dtype == np.uint8
        and pictures.ndim == 4
        and pictures.shape[1:] == shape
    )
    for found in answers.values():
        fits = fits and found.ndim == 2 and len(found) == len(pictures) and bool(np.isfinite(found).all())
    if not fits:
        raise ValueError("absurd probes")
    return SolverProbes(pictures, {name: found.astype(np.float32) for name, found in answers.items()})


def _read_members(archive: zipfile.ZipFile, path: Path) -> dict[str, bytes]:
    allowed = {"solver.json", "arrays.npz", "progress.png", *(f"{name}.onnx" for name in NETWORKS)}
    out: dict[str, bytes] = {}
    total = 0
    for item in archive.infolist():
        if item.filename not in allowed or item.filename in out:
            raise FacecapError(
                f"{path.name} holds {item.filename[:80]!r}, which belongs in no solver; it is refused.",
                "Use solvers that FaceCap trained, from people you trust.",
            )
        total += item.file_size
        if total > _MOST_BYTES:
            raise FacecapError(f"{path.name} is too large for a solver.", "Train a smaller network.")
        with archive.open(item) as stream:
            out[item.filename] = stream.read(item.file_size + 1)
        if len(out[item.filename]) != item.file_size:
            raise FacecapError(f"{path.name} lies about its sizes; it is refused.", "Export it again.")
    return out


def _read_facts(given: dict[str, Any]) -> SolverFacts:
    if given["format"] not in (1, FORMAT) or given["kind"] not in KINDS:
        raise FacecapError("The solver was made by another version of FaceCap.", "Export it again.")
    picture = PictureKind(**given["picture"])
    numbers = [float(given["mean"]), float(given["deviation"]), *map(float, given["crop"])]
    if not (0 < picture.height <= _MOST_SIDE and 0 < picture.width <= _MOST_SIDE and np.isfinite(numbers).all()):
        raise ValueError("absurd picture")
    if not 0 < int(given["vertices"]) <= _MOST_VERTICES or float(given["deviation"]) <= 0:
        raise ValueError("absurd mesh")
    side = given["side_crop"]
    left, top, width, height = (float(v) for v in given["crop"])
    return SolverFacts(
        name=str(given["name"])[:200],
        kind=given["kind"],
        crop=(left, top, width, height),
        side_crop=None if side is None else tuple(float(v) for v in side),  # pyright: ignore[reportArgumentType]
        picture=picture,
        mean=float(given["mean"]),
        deviation=float(given["deviation"]),
        channels=tuple(str(c) for c in given["channels"]),
        vertices=int(given["vertices"]),
        report=dict(given["report"]),
        aligned_eyes=_read_aligned_eyes(given.get("steady" if given["format"] == 1 else "aligned_eyes")),
        framing=_read_framing(given.get("framing")),
    )


def _read_framing(given: Any) -> Framing | None:
    if given is None:
        return None
    rate, face = float(given["rate_fps"]), tuple(float(v) for v in given["face"])
    if len(face) != 4 or not np.isfinite(face).all() or not (face[0] < face[2] and face[1] < face[3]):
        raise ValueError("absurd framing")
    if not 0 < rate < _MOST_FPS:
        raise ValueError("absurd framing")
    side = given["side_size_px"]
    return Framing(read_size(given["size_px"]), rate, face, None if side is None else read_size(side))


def _read_aligned_eyes(given: Any) -> tuple[tuple[float, float], ...] | None:
    if given is None:
        return None
    points = np.asarray(given, np.float64)
    if points.shape != (3, 2) or not np.isfinite(points).all():
        raise ValueError("absurd face")
    return tuple((float(x), float(y)) for x, y in points)
