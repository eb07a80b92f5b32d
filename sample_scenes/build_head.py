"""Builds sample_scenes/head.blend, the sample character: `python sample_scenes/build_head.py` (with bpy installed).

The geometry is pure numpy and can be had without Blender: `from sample_scenes.build_head import build_head_arrays`.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from sample_scenes.head.arrays import HeadArrays, build_head_arrays  # noqa: E402

__all__ = ["HeadArrays", "build_head_arrays"]
BLEND = Path(__file__).resolve().with_name("head.blend")


def main(path: Path = BLEND) -> None:
    """Builds the head and saves it."""
    from sample_scenes.head.blend import write_blend

    arrays = build_head_arrays()
    write_blend(arrays, path)
    print(f"{path.name}: {len(arrays.neutral)} vertices, {len(arrays.faces)} faces, {len(arrays.deltas)} keys")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else BLEND)
