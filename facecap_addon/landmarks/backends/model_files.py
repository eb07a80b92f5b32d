"""The folder of built networks, and opening one of them in onnxruntime."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import onnxruntime

from ...errors import FacecapError
from ..probes import check_session

MODELS_FOLDER = Path(__file__).resolve().parents[1] / "models"

WRONG_HERE = (
    "Install FaceCap again. If that does not help, onnxruntime does not work on this processor: "
    "solve on another computer, and report the processor's name with `facecap doctor`'s answer."
)


def open_session(path: Path, threads: int) -> onnxruntime.InferenceSession:
    """Open an ONNX file on the CPU, and see that it gives here what it has to, where a probe lies beside it.

    Raises:
        FacecapError: it is missing, cannot be read, or this computer calculates it wrongly.
    """
    if not path.is_file():
        raise FacecapError(
            f"The landmark network {path.name} is missing from {path.parent}.",
            "Install the FaceCap extension again; from a source checkout, run `python -m tools.build_models`.",
        )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Idle onnxruntime threads otherwise spin and take the core that decodes the footage.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime raises classes of its own that share no base
        raise FacecapError(
            f"The landmark network {path.name} cannot be read ({_first_line(error)}).",
            "Install the FaceCap extension again; from a source checkout, run `python -m tools.build_models --force`.",
        ) from error
    check_session(path, session, f"The landmark network {path.name}", WRONG_HERE)
    return session


def version_of(folder: Path, names: tuple[str, ...]) -> str:
    """A short hash over the named files, from the manifest where it lists them, else from their bytes."""
    try:
        manifest: dict[str, object] = json.loads((folder / "models.json").read_text(encoding="utf-8"))["files"]
    except (OSError, ValueError, KeyError, TypeError):
        manifest = {}
    digest = hashlib.sha256()
    for name in names:
        listed = manifest.get(name)
        digest.update(str(listed).encode() if listed else hashlib.sha256((folder / name).read_bytes()).digest())
    return digest.hexdigest()[:12]


def _first_line(error: Exception) -> str:
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__
