"""What is dear to make and the same for all: made by whichever test process asks first, while the others wait."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.patience import wait_until


def shared_folder(factory: pytest.TempPathFactory) -> Path:
    """A temporary folder that all processes of this run have in common."""
    own = factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


def made_once(folder: Path, make: Callable[[Path], None]) -> Path:
    """`folder`, filled by one call of `make` in this run, whichever process it falls to. Raises what `make` raises.

    A process that finds that another one has failed raises RuntimeError.
    """
    done, failed, mine = (folder.with_name(f"{folder.name}.{word}") for word in ("done", "failed", "mine"))
    try:
        mine.touch(exist_ok=False)  # one process succeeds
    except FileExistsError:
        wait_until(lambda: done.exists() or failed.exists())
        if failed.exists():
            raise RuntimeError(f"{folder.name}: {failed.read_text(encoding='utf-8')}") from None
        return folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
        make(folder)
    except BaseException as error:
        failed.write_text(f"{type(error).__name__}: {error}", encoding="utf-8")
        raise
    done.touch()
    return folder
