"""Solve a video onto a character: solve_a_video.py VIDEO OUT [CHARACTER.blend]"""

from __future__ import annotations

import sys

from facecap_addon import api as facecap


def main(video: str, out: str, character: str | None = None) -> int:
    def show(progress: object, fraction: float) -> None:
        print(f"\r{fraction:4.0%}", end="", file=sys.stderr)

    try:
        take = facecap.solve(video, character=character, out=out, on_progress=show)
    except facecap.FacecapError as error:
        print(f"{error.what} {error.way_out}", file=sys.stderr)
        return error.exit_code
    solved = int(take.solved.sum())
    print(f"{solved} of {take.frame_count} frames; the widest open jaw is {take.weights.max(axis=0).max():.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]) if len(sys.argv) > 2 else __doc__)
