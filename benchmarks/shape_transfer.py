"""The sample head's keys on a head made by other hands: `python -m benchmarks.shape_transfer`.

The ICT head (development data) has keys of its own: they are the truth. Printed per key, and kept in
`benchmarks/results/shape_transfer.txt` with a picture: cosine between the transferred and the true displacement of the
face's skin, and their sizes' ratio; and how long all of it takes.
"""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.ict import load_ict_rig
from facecap_addon.jobs.registry import SHAPE_KEYS
from facecap_addon.jobs.runtime.run_job import run_job
from facecap_addon.jobs.settings.shape_keys import ShapeKeysSettings
from facecap_addon.rig.blendshapes import load_rig, save_rig
from facecap_addon.rig.channels import arkit_name

ROOT = Path(__file__).resolve().parent.parent
ICT = ROOT.parent / "shared" / "data" / "rig" / "ict_facekit_arkit.npz"
RESULTS = ROOT / "benchmarks" / "results"
SKIN = slice(0, 9409)


def main() -> None:
    """Transfer and compare."""
    truth = load_ict_rig(ICT)
    folder = ROOT / ".cache" / "shape_transfer"
    folder.mkdir(parents=True, exist_ok=True)
    none = np.zeros((0, truth.vertex_count, 3), np.float32)
    bare = replace(truth, deltas=none, channels=(), ranges=np.zeros((0, 2), np.float32), name="ict")
    save_rig(folder / "bare.npz", bare)
    for kept in (folder / ".characters.facecap").glob("landmarks-*.npz"):
        kept.unlink()
    began = time.perf_counter()
    settings = ShapeKeysSettings(character=str(folder / "bare.npz"), out=folder, blend=False)
    result = run_job(SHAPE_KEYS, settings)
    seconds = time.perf_counter() - began
    made = load_rig(result.rig)
    theirs: dict[str, np.ndarray] = {}
    for channel, delta in zip(truth.channels, truth.deltas, strict=True):
        name = arkit_name(channel)
        if name is not None:  # a pair that ARKit has as one key counts as one
            theirs[name] = theirs.get(name, np.zeros_like(delta)) + delta
    found = []
    for name, delta in zip(made.channels, made.deltas, strict=True):
        if name in theirs:
            a, b = (part[SKIN].astype(np.float64).ravel() for part in (delta, theirs[name]))
            found.append((float(a @ b / np.sqrt((a @ a) * (b @ b))), float(np.sqrt((a @ a) / (b @ b))), name))
    found.sort()
    cosines = [cosine for cosine, _, _ in found]
    lines = [
        f"{truth.vertex_count} vertices, {len(found)} keys that both heads have, {seconds:.1f} s with landmarks",
        f"mean cosine {np.mean(cosines):.3f}, least {min(cosines):.2f}; sizes {np.mean([s for _, s, _ in found]):.3f}",
        *[line for line in result.lines if "lids" in line or "lips" in line],
        *[f"  {name:<22}{cosine:6.2f}   size {ratio:.2f}" for cosine, ratio, name in found],
    ]
    text = "python -m benchmarks.shape_transfer\n" + "\n".join(lines) + "\n"
    (RESULTS / "shape_transfer.txt").write_text(text, encoding="utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
