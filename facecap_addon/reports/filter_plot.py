"""Curves before and after a filter or edits, as an SVG picture."""

from __future__ import annotations

from xml.sax.saxutils import escape

import numpy as np

from ..takes.take import Take
from .svg_plots import draw_line_path, x_positions

_SHOWN, _FRAMES = 6, 300
_WIDTH, _HEIGHT, _GAP = 900, 110, 26


def draw_before_and_after(before: Take, after: Take) -> str:
    """The liveliest stretch of the liveliest channels, the solve thin and red, what became of it blue.

    Each is drawn at its own times: what was retimed is seen where it plays.
    """
    moved = np.abs(np.diff(before.weights, axis=0))
    chosen = np.argsort(-moved.sum(0))[:_SHOWN]
    length = min(_FRAMES, before.frame_count)
    busy = np.convolve(moved.sum(1), np.ones(length - 1), "valid") if length > 1 else np.zeros(1)
    part = slice(int(np.argmax(busy)), int(np.argmax(busy)) + length)
    first_s, last_s = float(before.time_s[part][0]), float(before.time_s[part][-1])
    within = slice(*np.searchsorted(after.time_s, (first_s, last_s + 1e-9)).tolist())
    shown = ((before, part), (after, within))
    places = [x_positions(take.time_s[rows_of], _WIDTH, (first_s, last_s)) for take, rows_of in shown]
    rows = []
    for number, k in enumerate(chosen):
        top = number * (_HEIGHT + _GAP) + _GAP
        values = [
            np.where(take.solved[rows_of], take.weights[rows_of, k], np.nan).astype(np.float64)
            for take, rows_of in shown
        ]
        both = np.concatenate(values)
        low, high = min(0.0, float(np.nanmin(both))), max(float(np.nanmax(both)), 1e-3)
        paths = [
            draw_line_path(x, (high - v) / (high - low) * _HEIGHT, _WIDTH, max_columns=_FRAMES)
            for x, v in zip(places, values, strict=True)
        ]
        title = f"{before.channels[k]}: {low:.2f} to {high:.2f}, {first_s:.1f} s to {last_s:.1f} s"
        rows.append(
            f'<g transform="translate(20 {top})"><text y="-7">{escape(title)}</text>'
            f'<rect width="{_WIDTH}" height="{_HEIGHT}"/><path class="before" d="{paths[0]}"/>'
            f'<path class="after" d="{paths[1]}"/></g>'
        )
    height = len(chosen) * (_HEIGHT + _GAP) + _GAP
    style = (
        "text{font:13px sans-serif;fill:#333}rect{fill:#f6f6f3}path{fill:none}"
        ".before{stroke:#d2521e;stroke-width:.8}.after{stroke:#2864c8;stroke-width:1.6}"
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH + 40} {height}" width="{_WIDTH + 40}" '
        f'height="{height}"><style>{style}</style><rect width="100%" height="100%" style="fill:#fff"/>'
        f"{''.join(rows)}</svg>\n"
    )
