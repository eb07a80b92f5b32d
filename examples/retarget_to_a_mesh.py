"""Let a mesh without shape keys follow a take: retarget_to_a_mesh.py TAKE.npz CHARACTER OUT"""

from __future__ import annotations

import sys

from facecap_addon import api as facecap


def main(take: str, character: str, out: str) -> int:
    moved = facecap.retarget(take, character=character, out=out, blend=False)
    print(f"{moved.points}, {moved.fps:g} frames per second")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]) if len(sys.argv) > 3 else __doc__)
