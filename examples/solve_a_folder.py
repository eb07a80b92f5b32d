"""Solve every clip of a folder; those that cannot be are named at the end: solve_a_folder.py FOLDER OUT"""

from __future__ import annotations

import sys
from pathlib import Path

from facecap_addon import api as facecap

CLIPS = {".mp4", ".mov", ".mkv", ".avi", ".webm", ".mpg"}


def main(folder: str, out: str) -> int:
    refused: list[str] = []
    for clip in sorted(path for path in Path(folder).iterdir() if path.suffix.lower() in CLIPS):
        try:
            take = facecap.solve(clip, out=out)
        except facecap.FacecapError as error:
            refused.append(f"{clip.name}: {error.what} {error.way_out}")
        else:
            print(f"{clip.name}: {int(take.solved.sum())} of {take.frame_count} frames")
    print("\n".join(refused), file=sys.stderr)
    return 2 if refused else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]) if len(sys.argv) > 2 else __doc__)
