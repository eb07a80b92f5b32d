"""Writing a file so that it is there completely or not at all."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .errors import FacecapError

DISK_FULL = {errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)}
_REFUSED = {errno.EACCES, errno.EPERM, errno.EROFS}
_BAD_FOLDER = {errno.ENOENT, errno.ENOTDIR, errno.EEXIST, errno.EISDIR, errno.ENAMETOOLONG, errno.EINVAL}


@contextmanager
def atomic_path(target: Path) -> Iterator[Path]:
    """Give a temporary path beside `target` to write to; at the end of the block the file takes `target`'s name.

    If the block raises, or the process dies, `target` is as it was before; the temporary file is removed (a process
    that is killed leaves it behind, hidden and named `.<stem>.<random>.part<suffix>`). The temporary name keeps the
    suffix, so that libraries that look at it choose the right format. The folder is made if it is missing.

    Args:
        target: the file to write.
    Raises:
        FacecapError: the disk is full, or the folder or the file cannot be written. Other errors of the block pass.
    """
    target = Path(target)
    temporary = target.with_name(f".{target.stem[:80]}.{secrets.token_hex(4)}.part{target.suffix}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.is_dir():
            raise IsADirectoryError(errno.EISDIR, "it is a folder", str(target))
        yield temporary
        _flush_to_disk(temporary)
        os.replace(temporary, target)  # noqa: PTH105 (Path.replace is the same; this is the word people search for)
    except OSError as error:
        explained = _explain(error, target, temporary)
        if explained is None:
            raise
        raise explained from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def _flush_to_disk(path: Path) -> None:
    # Without this a power cut soon after the rename may leave an empty file under the final name.
    with path.open("rb+") as stream:
        os.fsync(stream.fileno())


def _explain(error: OSError, target: Path, temporary: Path) -> FacecapError | None:
    if error.errno in DISK_FULL:
        return FacecapError(
            f"The disk is full: {target.name} could not be written.", "Free some space and run it again."
        )
    ours = {str(target), str(temporary), *(str(folder) for folder in target.parents)}
    if error.filename is not None and str(error.filename) not in ours:
        return None  # Something else that the block used, such as the footage it reads.
    if error.errno in _REFUSED:
        return FacecapError(
            f"{target} cannot be written: permission is denied.",
            "Choose another folder, or close the program that holds the file open.",
        )
    if error.filename is not None and error.errno in _BAD_FOLDER:
        return FacecapError(f"{target} cannot be written ({error.strerror}).", "Choose another file name or folder.")
    return None
