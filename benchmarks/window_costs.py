"""What FaceCap's drawing costs in a Blender window: `blender --python benchmarks/window_costs.py -- OUT.txt`.

A take of 10,000 frames and 52 channels on the sample head, in the workspace for checking. Measured, with the
processor's and the graphics' name: each of FaceCap's draw handlers and panels per redraw, its handlers per frame, and
redraws of the whole window per second, with FaceCap's drawing and without, in turns.
"""

from __future__ import annotations

import importlib
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import bpy

ROOT = Path(__file__).resolve().parents[1]
FRAMES, REDRAWS, TURNS = 10_000, 5, 2
_costs: dict[str, list[float]] = {}


def package() -> str:
    """FaceCap's package: the extension's, or this checkout's, registered here."""
    for name in list(sys.modules):
        if name.endswith("facecap_addon.blender.session"):
            return name.removesuffix(".blender.session")
    sys.path.insert(0, str(ROOT))
    importlib.import_module("facecap_addon.addon").register()
    return "facecap_addon"


def timed(name: str, draw: Callable[..., Any]) -> Callable[..., Any]:
    """The function, its milliseconds kept under a name."""

    def measure(*arguments: Any) -> Any:
        began_s = time.perf_counter()
        answer = draw(*arguments)
        _costs.setdefault(name, []).append(1e3 * (time.perf_counter() - began_s))
        return answer

    return measure


def long_take(own: str, folder: Path) -> tuple[Path, Any]:
    """A take of random, smooth curves, with stretches without a face."""
    import numpy as np

    take_module = importlib.import_module(f"{own}.takes.take")
    names = importlib.import_module(f"{own}.rig.channels").ARKIT_CHANNELS
    rng = np.random.default_rng(5)
    kernel = np.hanning(15) / np.hanning(15).sum()
    curves = np.stack([np.convolve(rng.uniform(0, 1, FRAMES), kernel, "same") for _ in names], 1)
    confidence = np.stack([np.convolve(rng.uniform(0.3, 1, FRAMES), kernel, "same") for _ in take_module.REGIONS], 1)
    status = np.full(FRAMES, take_module.STATUS_SOLVED, np.int8)
    for first in range(500, FRAMES, 1500):
        status[first : first + 20] = take_module.STATUS_MISSING
    facing = np.array([np.sqrt(0.5), np.sqrt(0.5), 0.0, 0.0], np.float32)
    take = take_module.Take(
        time_s=np.arange(FRAMES) / 25.0,
        channels=tuple(names),
        weights=np.where(status[:, None] > 0, curves, 0.0).astype(np.float32),
        head_rotation_wxyz=np.tile(facing, (FRAMES, 1)),
        head_translation_m=np.tile(np.array([0, 0, 0.6], np.float32), (FRAMES, 1)),
        gaze_rad=np.zeros((FRAMES, 2, 2), np.float32),
        confidence=confidence.astype(np.float32),
        regions=take_module.REGIONS,
        status=status,
        landmarks_px=rng.uniform(150, 400, (FRAMES, 478, 2)).astype(np.float32),
        residual_px=np.full(FRAMES, 0.7, np.float32),
        image_size=(640, 480),
        focal_px=700.0,
    )
    path = folder / "long.take.npz"
    importlib.import_module(f"{own}.takes.npz").save_take(path, take)
    return path, take


def steps(out: Path) -> Iterator[float]:
    """One step after the other; each says for how many seconds Blender is left alone."""
    own = package()
    bpy.context.preferences.view.show_splash = False
    bpy.ops.wm.open_mainfile(filepath=str(_head()), load_ui=False)
    yield 1.0
    window = bpy.context.window_manager.windows[0]
    scene = bpy.context.scene
    scene.render.fps, scene.frame_end = 25, FRAMES
    head = next(o for o in bpy.data.objects if o.type == "MESH" and o.data.shape_keys)
    scene.facecap.character = head
    path, take = long_take(own, out.parent)
    importlib.import_module(f"{own}.blender.takes").add_take(scene, path, take, "solved", choose=True)
    importlib.import_module(f"{own}.blender.operators.take.bake").bake_result(scene, head)
    importlib.import_module(f"{own}.blender.scene.camera_setup").add_camera(scene, head, take, None, 1)
    check_workspace = importlib.import_module(f"{own}.blender.scene.check_workspace")
    with bpy.context.temp_override(window=window):
        bpy.ops.workspace.duplicate()
    yield 0.5
    for step in (check_workspace.arrange, check_workspace.show_footage_and_head, check_workspace.settle):
        with bpy.context.temp_override(window=window):
            step(window, scene)
        yield 1.0
    handlers = _wrap_handlers(own)
    panels = _wrap_panels()
    lines = [
        f"{bpy.app.version_string}; {_processor()}; {_graphics()}",
        f"{FRAMES} frames, {len(take.channels)} channels",
        "",
    ]
    rates: dict[bool, list[float]] = {True: [], False: []}
    for turn in range(2 * TURNS):
        shown = turn % 2 == 0
        scene.facecap.check.show_lane = scene.facecap.check.show_landmarks = shown
        with bpy.context.temp_override(window=window):
            began_s = time.perf_counter()
            for redraw in range(REDRAWS):
                scene.frame_current = 400 + 7 * redraw
                bpy.ops.wm.redraw_timer(type="DRAW_WIN_SWAP", iterations=1)
            rates[shown].append(REDRAWS / (time.perf_counter() - began_s))
        yield 0.2
    for name in sorted(_costs):
        given = sorted(_costs[name])
        lines.append(f"{name:<58} {given[len(given) // 2]:7.3f} ms per redraw (median of {len(given)})")
    on, off = max(rates[True]), max(rates[False])
    lines.append(f"redraws of the window per second: {on:.1f} with FaceCap's drawing, {off:.1f} without")
    own_handlers = [
        handler
        for kind in ("frame_change_pre", "frame_change_post", "depsgraph_update_post")
        for handler in getattr(bpy.app.handlers, kind)
        if str(getattr(handler, "__module__", "")).startswith(own)
    ]
    lines.append(f"handlers per frame: {len(own_handlers)}; draw handlers: {handlers}; panels: {panels}")
    out.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines))
    sys.stdout.flush()
    os._exit(0)


def _head() -> Path:
    for root in (ROOT, Path(sys.modules[package()].__file__ or "").parents[1]):
        if (root / "sample_scenes" / "head.blend").is_file():
            return root / "sample_scenes" / "head.blend"
    raise FileNotFoundError("sample_scenes/head.blend")


def _wrap_handlers(own: str) -> int:
    count = 0
    lane = sys.modules[f"{own}.blender.overlay.confidence_lane"]
    lane._draw_names = timed("… of that, names of the strips (not drawn while it plays)", lane._draw_names)
    handlers = sys.modules[f"{own}.blender.overlay.draw_handlers"]
    for name in ("confidence_lane", "footage_landmarks"):
        draw = sys.modules[f"{own}.blender.overlay.{name}"]._draw
        editors = [editor.__name__ for editor, _ in handlers._added[draw]]
        handlers.end_drawing(draw)
        for editor in editors:
            handlers.draw_in([editor], timed(f"{name} in {editor}", draw))
            count += 1
    return count


def _wrap_panels() -> int:
    count = 0
    for name in dir(bpy.types):
        if name.startswith("FACECAP_PT_"):
            cls = getattr(bpy.types, name)
            measured = timed(f"panel {name.removeprefix('FACECAP_PT_')}", cls.draw)
            cls.draw = _as_draw(measured)
            count += 1
    return count


def _as_draw(measured: Callable[..., Any]) -> Callable[..., Any]:
    """Blender counts the arguments of a panel's draw."""

    def draw(self: Any, context: Any) -> None:
        measured(self, context)

    return draw


def _processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
        return text.partition("model name")[2].partition(":")[2].partition("\n")[0].strip()
    except OSError:
        import platform

        return platform.processor()


def _graphics() -> str:
    import gpu

    return gpu.platform.renderer_get()


def run() -> float | None:
    """The next step, as a timer."""
    try:
        return next(_work)
    except StopIteration:
        return None
    except Exception:
        import traceback

        traceback.print_exc()
        sys.stdout.flush()
        os._exit(1)


if __name__ == "__main__":
    _work = steps(Path(sys.argv[sys.argv.index("--") + 1]))
    bpy.app.timers.register(run, first_interval=2.0, persistent=True)
