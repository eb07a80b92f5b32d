"""Pictures of the head for docs/images: `python sample_scenes/contact_sheet.py` (bpy needed; some ten minutes).

`head-keys.jpg`: the 52 keys at 1, front and three-quarter from the side that moves. `head-expressions.jpg`: twelve
expressions. `head-landmarks.jpg`: the neutral with its stored landmarks.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parents[1]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from sample_scenes.expressions import EXPRESSIONS, weights_of  # noqa: E402
from sample_scenes.head.arrays import build_head_arrays  # noqa: E402
from sample_scenes.head.keys import ARKIT_KEYS  # noqa: E402
from sample_scenes.head.landmarks import load_landmarks  # noqa: E402
from sample_scenes.studio import Studio, head_matrix, open_studio  # noqa: E402

Picture = NDArray[np.uint8]
THREE_QUARTER = np.radians(32.0)
CLOSE = np.array([0.0, -0.08, -0.03])
# This point of the head stays in the middle of the picture when it turns.
MIDDLE = np.array([0.0, -0.05, -0.03])


def portrait(studio: Studio, weights: Mapping[str, float], yaw: float = 0.0) -> Picture:
    """The head under some weights, turned to its left by `yaw` rad."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "picture.png"
        turn = np.array([yaw, 0.0, 0.0])
        matrix = head_matrix(turn, np.zeros(3))
        studio.pose(weights, turn, MIDDLE - matrix[:3, :3] @ MIDDLE - matrix[:3, 3])
        studio.shoot(path)
        return np.asarray(cv2.imread(str(path)), np.uint8)


def tile(studio: Studio, name: str, weights: Mapping[str, float]) -> Picture:
    """Front and three-quarter side by side, with a name. Right-hand keys are seen from the character's right."""
    yaw = THREE_QUARTER if name.endswith("Right") else -THREE_QUARTER
    pair = np.hstack([portrait(studio, weights), portrait(studio, weights, yaw)])
    cv2.putText(pair, name, (8, pair.shape[0] - 10), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (255, 255, 255), 1, cv2.LINE_AA)
    return pair


def sheet(tiles: list[Picture], columns: int) -> Picture:
    """Tiles in rows."""
    blank = np.zeros_like(tiles[0])
    padded = tiles + [blank] * (-len(tiles) % columns)
    return np.vstack([np.hstack(padded[i : i + columns]) for i in range(0, len(padded), columns)])


def with_landmarks(studio: Studio) -> Picture:
    """The neutral from the front with the landmarks of both schemes."""
    picture = portrait(studio, {})
    neutral = build_head_arrays().neutral
    for landmarks, radius, colour in zip(load_landmarks(), (2, 4), ((255, 255, 0), (40, 200, 255)), strict=True):
        for x, y in studio.pixels(landmarks.positions(neutral)):
            at, size = (round(x * 16), round(y * 16)), radius * 16
            cv2.circle(picture, at, size, colour, -1 if radius == 2 else 1, cv2.LINE_AA, shift=4)
    return picture


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "images")
    parser.add_argument("--samples", type=int, default=16)
    parser.add_argument("--only", choices=("keys", "expressions", "landmarks"))
    options = parser.parse_args()

    def save(name: str, picture: Picture) -> None:
        cv2.imwrite(str(options.out / name), picture, [cv2.IMWRITE_JPEG_QUALITY, 86])

    if options.only in (None, "keys"):
        studio = open_studio(232, options.samples, lens_mm=120.0, target_m=CLOSE)
        # mouthClose means something only on an open jaw.
        keys = {name: {name: 1.0, **({"jawOpen": 1.0} if name == "mouthClose" else {})} for name in ARKIT_KEYS}
        save("head-keys.jpg", sheet([tile(studio, name, weights) for name, weights in keys.items()], 4))
    if options.only in (None, "expressions"):
        studio = open_studio(300, 2 * options.samples, lens_mm=120.0, target_m=CLOSE)
        tiles = [tile(studio, name, weights_of(shape)) for name, shape in EXPRESSIONS.items()]
        save("head-expressions.jpg", sheet(tiles, 3))
    if options.only in (None, "landmarks"):
        save("head-landmarks.jpg", with_landmarks(open_studio(900, 3 * options.samples, lens_mm=120.0, target_m=CLOSE)))


if __name__ == "__main__":
    main()
