"""Takes on disk: one `.npz` with an array per field, and provenance as JSON text."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..atomic_file import atomic_path
from ..errors import UNREADABLE, FacecapError
from .actor import read_json, write_json
from .take import Take

FORMAT_VERSION = 1

_DTYPES: dict[str, type[np.generic]] = {
    "time_s": np.float64,
    "weights": np.float32,
    "head_rotation_wxyz": np.float32,
    "head_translation_m": np.float32,
    "gaze_rad": np.float32,
    "confidence": np.float32,
    "status": np.int8,
    "landmarks_px": np.float32,
    "residual_px": np.float32,
}


def save_take(path: Path, take: Take) -> None:
    """Write a take to an `.npz`, completely or not at all.

    The arrays are named as the fields of `Take`; `channels`, `regions`, `not_observed` and `inferred` are arrays
    of text, `provenance` and `actor` are JSON text. Nothing is pickled.

    Args:
        path: the file, usually `<stem>.take.npz`.  take: what to write.
    Raises:
        FacecapError: the disk is full or the folder cannot be written.
    """
    arrays: dict[str, NDArray[np.generic]] = {
        name: np.ascontiguousarray(getattr(take, name), dtype) for name, dtype in _DTYPES.items()
    }
    arrays["channels"] = np.array(take.channels, dtype=np.str_)
    arrays["regions"] = np.array(take.regions, dtype=np.str_)
    arrays["not_observed"] = np.array(take.not_observed, dtype=np.str_)
    arrays["inferred"] = np.array(take.inferred, dtype=np.str_)
    arrays["image_size"] = np.array(take.image_size, dtype=np.int64)
    arrays["focal_px"] = np.array(take.focal_px, dtype=np.float64)
    if take.jaw.any():
        arrays["jaw"] = np.ascontiguousarray(take.jaw, np.float32)
    if take.covered.any():
        arrays["covered"] = np.ascontiguousarray(take.covered, np.float32)
    if take.actor is not None:
        arrays["actor"] = np.array(json.dumps(write_json(take.actor), ensure_ascii=False))
    arrays["provenance"] = np.array(json.dumps(take.provenance, ensure_ascii=False, default=str))
    arrays["format_version"] = np.array(FORMAT_VERSION)
    with atomic_path(path) as temporary, temporary.open("wb") as stream:
        np.savez(stream, **arrays)


def load_take(path: Path) -> Take:
    """Read what `save_take` wrote.

    Args:
        path: a `.take.npz`.
    Raises:
        FacecapError: it is missing, damaged, or no take.
    """
    try:
        with np.load(path, allow_pickle=False) as data:
            if not isinstance(data, np.lib.npyio.NpzFile):  # pyright: ignore[reportAttributeAccessIssue]
                raise ValueError("it holds a single array")
            version = int(data["format_version"]) if "format_version" in data else FORMAT_VERSION
            if version > FORMAT_VERSION:
                raise FacecapError(
                    f"{path.name} was written by a newer FaceCap (take format {version}).", "Update FaceCap."
                )
            arrays = {name: data[name].astype(dtype, copy=False) for name, dtype in _DTYPES.items()}
            width, height = (int(side) for side in data["image_size"])
            provenance = json.loads(str(data["provenance"]))
            if not isinstance(provenance, dict):
                raise ValueError("its provenance is no JSON object")
            if arrays["landmarks_px"].ndim != 3 or len(arrays["landmarks_px"]) != len(arrays["time_s"]):
                raise ValueError("its landmarks do not fit its frames")
            return Take(
                **arrays,
                channels=_texts(data["channels"]),
                regions=_texts(data["regions"]),
                image_size=(width, height),
                focal_px=float(data["focal_px"]),
                not_observed=_texts(data["not_observed"]),
                provenance=provenance,
                jaw=data["jaw"].astype(np.float32) if "jaw" in data else np.zeros((0, 6), np.float32),
                actor=read_json(json.loads(str(data["actor"]))) if "actor" in data else None,
                inferred=_texts(data["inferred"]) if "inferred" in data else (),
                covered=data["covered"].astype(np.float32) if "covered" in data else np.zeros((0, 0), np.float32),
            )
    except FileNotFoundError as error:
        raise FacecapError(f"There is no take {path}.", "Check the path, or solve again.") from error
    except UNREADABLE as error:
        raise FacecapError(
            f"{path.name} is not a FaceCap take, or it is damaged ({error}).", "Choose a .take.npz, or solve again."
        ) from error


def _texts(array: NDArray[np.generic]) -> tuple[str, ...]:
    return tuple(str(text) for text in array)
