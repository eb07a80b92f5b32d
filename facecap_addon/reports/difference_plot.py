"""Where two takes differ over time, as an SVG picture: a strip per region, and the curves that differ most."""

from __future__ import annotations

from xml.sax.saxutils import escape

import numpy as np

from ..arrays import F64
from ..takes.measures.difference import Comparison, summarise
from .svg_plots import draw_heat_strip, draw_line_path, draw_missing_bands, nice_ticks, x_positions

_CURVES, _FULL = 8, 0.3
"""How many curves are shown; a difference from which on a strip is as dark as it gets."""
_WIDTH, _HEIGHT, _GAP, _LEFT, _LANE, _LEGEND = 900, 100, 30, 130, 16, 40
_COLOR = (200, 40, 30)


def draw_difference(compared: Comparison, names: tuple[str, str]) -> str:
    """A picture of a comparison.

    Args:
        names: what the first take and the other are called.
    """
    x = x_positions(compared.time_s, _WIDTH)
    gaps = draw_missing_bands(x, ~compared.there, _WIDTH, _HEIGHT)
    regions, off = compared.regions, compared.by_region()
    parts = [
        f'<text class="mine" x="{_LEFT}" y="24">{escape(names[0])}</text>'
        f'<text class="theirs" x="{_LEFT + _WIDTH // 2}" y="24">{escape(names[1])}</text>'
    ]
    top = _LEGEND
    tall = _LANE * len(regions)
    strip = draw_heat_strip(x, off / _FULL, _WIDTH, _COLOR, highest=True)
    labels = "".join(
        f'<text class="name" x="{_LEFT - 8}" y="{(row + 0.75) * _LANE:g}">{escape(name)}</text>'
        for row, name in enumerate(regions)
    )
    parts.append(
        f'<g transform="translate(0 {top})">{labels}<rect x="{_LEFT}" width="{_WIDTH}" height="{tall}"/>'
        f'<image x="{_LEFT}" width="{_WIDTH}" height="{tall}" preserveAspectRatio="none" href="{strip}"/></g>'
    )
    top += tall + _GAP
    for channel, rms in _most_different(compared):
        k = compared.channels.index(channel)
        mine, theirs = compared.mine[:, k], compared.theirs[:, k]
        paths = _draw_paths(x, mine, theirs)
        parts.append(
            f'<g transform="translate({_LEFT} {top})"><text y="-8">{escape(channel)}, differs by {rms:.3f}</text>'
            f'<rect width="{_WIDTH}" height="{_HEIGHT}"/>{gaps}{paths}</g>'
        )
        top += _HEIGHT + _GAP
    parts.append(_draw_times(compared.time_s, top - _GAP + 16))
    return _document("".join(parts), _LEFT + _WIDTH + 20, top)


def _most_different(compared: Comparison) -> list[tuple[str, float]]:
    found = summarise(compared)
    return [(name, float(rms)) for name, rms in zip(found.channels, found.rms, strict=True) if rms > 0.0][:_CURVES]


def _draw_paths(x: F64, mine: F64, theirs: F64) -> str:
    """Two curves of one channel on one scale."""
    both = np.concatenate([mine, theirs])
    low, high = min(0.0, float(np.nanmin(both))), max(float(np.nanmax(both)), 1e-3)
    shown = [
        draw_line_path(x, (high - values) / (high - low) * _HEIGHT, _WIDTH, max_columns=_WIDTH)
        for values in (theirs, mine)
    ]
    return f'<path class="theirs" d="{shown[0]}"/><path class="mine" d="{shown[1]}"/>'


def _draw_times(time_s: F64, top: float) -> str:
    first, last = float(time_s[0]), float(time_s[-1])
    span = max(last - first, 1e-9)
    return "".join(
        f'<text class="tick" x="{_LEFT + (tick - first) / span * _WIDTH:.1f}" y="{top}">{tick:g} s</text>'
        for tick in nice_ticks(first, last, 8)
    )


def _document(body: str, width: int, height: int) -> str:
    style = (
        "text{font:13px sans-serif;fill:#333}.name{text-anchor:end}.tick{text-anchor:middle}rect{fill:#f6f6f3}"
        "path{fill:none}path.theirs{stroke:#d2521e;stroke-width:1.2}path.mine{stroke:#2864c8;stroke-width:1.2}"
        "text.theirs{fill:#d2521e}text.mine{fill:#2864c8}.gap{fill:#ddd}"
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}">'
        f'<style>{style}</style><rect width="100%" height="100%" style="fill:#fff"/>{body}</svg>\n'
    )
