"""The report of a training: how it went, and the network beside the landmark fit, shot by shot, on one HTML page."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path

import numpy as np

from ...atomic_file import atomic_path
from ...images.encode import encode_png
from ...reports.report_style import STYLE
from ...reports.svg_plots import data_uri, draw_line_path, x_positions
from .train_evaluation import Comparison, ShotErrors, compute_rms

_WIDE, _HIGH = 1000.0, 150.0
_COLORS = ("var(--accent)", "var(--warn)")


def write_train_report(path: Path, title: str, lines: Sequence[str], picture: Path, comparison: Comparison) -> None:
    """Write the page, self-contained.

    Args:
        lines: what there is to say.  picture: PNG of the training, left out where it is not there.
        comparison: with the landmark fit; empty where there is none.
    """
    parts = [f"<h1>{escape(title)}</h1>", *(f"<p>{escape(line)}</p>" for line in lines)]
    if comparison.shots:
        parts += [
            "<h2>Network and fast solve on the shots kept back</h2>",
            '<p class="soft">Root-mean-square distance of the vertices that move, mm. Neither has learned from these '
            "shots.</p>",
            "<table><tr><th>shot</th><th>frames</th><th>network</th><th>fast solve</th><th></th></tr>",
            *(_write_row(shot) for shot in comparison.shots),
            "</table>",
            f'<p class="small"><span style="color:{_COLORS[0]}">network</span> · '
            f'<span style="color:{_COLORS[1]}">fast solve</span></p>',
            *(_draw_plot(shot) for shot in comparison.shots),
        ]
    if comparison.error_map is not None:
        uri = data_uri("image/png", encode_png(comparison.error_map))
        parts.append(
            "<h2>Where they are off</h2>"
            '<p class="soft">Root-mean-square distance of each vertex on the same shots.</p>'
            f'<img alt="heads colored by their error" style="max-width:100%" src="{uri}">'
        )
    if picture.is_file():
        uri = data_uri("image/png", picture.read_bytes())
        parts.append(f'<h2>How it went</h2><img alt="loss, error and frames" style="width:100%" src="{uri}">')
    table = "table{border-collapse:collapse}td,th{padding:3px 18px 3px 0;text-align:left}"
    body = "\n".join(parts)
    page = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{STYLE}{table}</style></head><body><main>{body}</main></body></html>\n"
    )
    with atomic_path(path) as temporary:
        temporary.write_text(page, encoding="utf-8")


def _write_row(shot: ShotErrors) -> str:
    network, fit = compute_rms(shot.network_mm), compute_rms(shot.fit_mm)
    verdict = "network is better" if network < fit else "network is NOT better"
    return (
        f"<tr><td>{escape(shot.name)}</td><td>{len(shot.time_s)}</td><td>{network:.2f}</td><td>{fit:.2f}</td>"
        f"<td>{verdict}</td></tr>"
    )


def _draw_plot(shot: ShotErrors) -> str:
    top = float(max(shot.network_mm.max(), shot.fit_mm.max(), 1e-6))
    x = x_positions(shot.time_s, _WIDE)
    lines = "".join(
        f'<path d="{draw_line_path(x, _HIGH * (1 - values / top), _WIDE)}" fill="none" stroke="{color}"/>'
        for values, color in zip((shot.network_mm, shot.fit_mm), _COLORS, strict=True)
    )
    return (
        f'<h3>{escape(shot.name)}</h3><div class="card"><svg viewBox="0 -4 {_WIDE:g} {_HIGH + 8:g}" '
        f'preserveAspectRatio="none" style="width:100%;height:{_HIGH:g}px">{lines}</svg>'
        f'<p class="small soft">0 to {top:.1f} mm, {np.ptp(shot.time_s):.1f} s</p></div>'
    )
