"""One Blender for all tests, as a module, with a user folder of its own and FaceCap registered."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator

import numpy as np
import pytest

_USER = tempfile.TemporaryDirectory(prefix="facecap-test-user-")
os.environ["BLENDER_USER_RESOURCES"] = _USER.name  # before bpy is imported anywhere

bpy = pytest.importorskip("bpy", reason="the bpy module is not installed")


@pytest.fixture(scope="session", autouse=True)
def registered() -> Iterator[None]:
    from facecap_addon import addon

    addon.register()
    yield
    addon.unregister()  # bpy hangs at exit with classes left registered


@pytest.fixture(autouse=True)
def empty_scene(registered: None) -> None:
    bpy.ops.wm.read_homefile(use_empty=True)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)
