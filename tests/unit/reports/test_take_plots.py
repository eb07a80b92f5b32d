"""Pictures of takes over each other: curves lie where they play, and what differs is seen."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np

from facecap_addon.reports.difference_plot import draw_difference
from facecap_addon.reports.filter_plot import draw_before_and_after
from facecap_addon.reports.svg_plots import x_positions
from facecap_addon.takes.measures.difference import compare
from facecap_addon.takes.take import Take
from tests.blender.takes import make_take


def with_peak(at: int) -> Take:
    """A take of 100 frames, 25 a second, with a peak of the jaw."""
    take = make_take(100)
    weights = np.zeros_like(take.weights)
    weights[at - 3 : at + 4, take.channels.index("jawOpen")] = np.hanning(9)[1:-1]
    return replace(take, time_s=np.arange(100) / 25, weights=weights)


def peak_x(path: str) -> float:
    """Where a path is highest in the picture."""
    points = np.array([[float(v) for v in pair.split()] for pair in re.findall(r"[\d.]+ [\d.]+", path)])
    return float(points[points[:, 1].argmin(), 0])


def paths_of(svg: str, name: str) -> list[str]:
    return re.findall(rf'<path class="{name}" d="([^"]+)"', svg)


def test_what_was_retimed_is_drawn_where_it_plays() -> None:
    before = with_peak(40)
    svg = draw_before_and_after(before, replace(before, time_s=before.time_s + 0.4))
    usual, moved = (peak_x(paths_of(svg, name)[0]) for name in ("before", "after"))
    expected = x_positions(before.time_s, 900)
    assert abs(usual - expected[40]) < 0.1 and abs(moved - expected[50]) < 0.1
    same = draw_before_and_after(before, before)
    assert paths_of(same, "before") == paths_of(same, "after")


def test_the_plot_of_a_difference_shows_the_channels_that_differ_and_no_others() -> None:
    svg = draw_difference(compare(with_peak(40), with_peak(60)), ("one & two", "other"))
    assert "jawOpen, differs by" in svg and "eyeBlinkLeft" not in svg and "one &amp; two" in svg
    expected = x_positions(with_peak(40).time_s, 900)
    assert abs(peak_x(paths_of(svg, "mine")[0]) - expected[40]) < 1.5
    assert abs(peak_x(paths_of(svg, "theirs")[0]) - expected[60]) < 1.5
