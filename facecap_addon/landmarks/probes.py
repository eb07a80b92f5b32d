"""Inputs whose answers are known, kept beside a network, so that a processor that calculates it wrongly is found out.

`<network>.probe.npz` belongs to `<network>.onnx`: it names that file's SHA-256, so that it never judges another one.
"""

from __future__ import annotations

import hashlib
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from ..atomic_file import atomic_path
from ..errors import FacecapError

Arrays = Mapping[str, NDArray[Any]]

FORMAT = 1
ALLOWED = 1e-3
"""How far 32-bit answers may differ from those expected, in parts of the largest one. Processors differ by 1e-6."""
_SMALL = 1e-3
_DAMAGED = (OSError, LookupError, ValueError, TypeError, EOFError, NotImplementedError, zlib.error, zipfile.BadZipFile)
_INPUT, _OUTPUT = "input/", "output/"


@dataclass(frozen=True)
class Probe:
    """What goes into a network, by name, and what has to come out of it."""

    inputs: Arrays
    outputs: Arrays


def probe_path(network: Path) -> Path:
    """Where the probe of a network lies."""
    return network.with_name(f"{network.stem}.probe.npz")


def save_probe(network: Path, probe: Probe) -> Path:
    """Write the probe of a network that is on disk, completely or not at all; returns where."""
    arrays = {_INPUT + name: value for name, value in probe.inputs.items()}
    arrays |= {_OUTPUT + name: value for name, value in probe.outputs.items()}
    path = probe_path(network)
    with atomic_path(path) as temporary, temporary.open("wb") as stream:
        np.savez_compressed(stream, format=np.array(FORMAT), sha256=np.array(_sha256(network)), **arrays)
    return path


def load_probe(network: Path) -> Probe | None:
    """The probe of a network; None where there is none, or it belongs to another network or version of FaceCap.

    Raises:
        FacecapError: the file is damaged.
    """
    path = probe_path(network)
    if not path.is_file():
        return None
    try:
        with np.load(path, allow_pickle=False) as data:
            if int(data["format"]) != FORMAT or str(data["sha256"]) != _sha256(network):
                return None
            inputs = {name.removeprefix(_INPUT): data[name] for name in data.files if name.startswith(_INPUT)}
            outputs = {name.removeprefix(_OUTPUT): data[name] for name in data.files if name.startswith(_OUTPUT)}
    except _DAMAGED as error:
        raise FacecapError(
            f"{path.name} cannot be read ({error}).", f"Install FaceCap again, or delete {path}."
        ) from error
    return Probe(inputs, outputs)


def measure_difference(found: Arrays, wanted: Arrays) -> float:
    """Largest difference of what came out from what had to, in parts of each output's largest number.

    An output that is next to nothing (the presence of a face where there is none) is measured by the others.
    Infinite where an output is missing, has another shape, or is not a number.
    """
    worst = 0.0
    largest = {name: float(np.abs(expected).max(initial=0.0)) for name, expected in wanted.items()}
    least = max(_SMALL * max(largest.values(), default=0.0), 1e-12)
    for name, expected in wanted.items():
        got = np.asarray(found[name], np.float64) if name in found else None
        if got is None or got.shape != expected.shape or not np.isfinite(got).all():
            return float("inf")
        worst = max(worst, float(np.abs(got - expected).max(initial=0.0)) / max(largest[name], least))
    return worst


def check_probe(probe: Probe, run: Callable[[Arrays], Arrays], name: str, way_out: str) -> None:
    """Raises FacecapError where a network does not give what it has to.

    Args:
        run: inputs by name to outputs by name.  name: of the network, for people.  way_out: what can be done.
    """
    away = measure_difference(run(probe.inputs), probe.outputs)
    if not away <= ALLOWED:
        raise FacecapError(
            f"{name} gives other answers on this computer than it has to (they differ by {away:.1%}).", way_out
        )


def check_session(network: Path, session: onnxruntime.InferenceSession, name: str, way_out: str) -> None:
    """As `check_probe`, for a session of a network that has a probe beside it; without one nothing is checked."""
    probe = load_probe(network)
    if probe is not None:
        check_probe(probe, lambda inputs: run_session(session, inputs), name, way_out)


def run_session(session: onnxruntime.InferenceSession, inputs: Arrays) -> dict[str, NDArray[Any]]:
    """Outputs of a network by name; inputs that it does not know are refused by onnxruntime."""
    names = [output.name for output in session.get_outputs()]
    return {name: np.asarray(value) for name, value in zip(names, session.run(names, dict(inputs)), strict=True)}


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
