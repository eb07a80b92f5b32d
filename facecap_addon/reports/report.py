"""The report of a solve: one HTML page that needs nothing else, to look at, to send and to keep."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..atomic_file import atomic_path
from ..rig.blendshapes import BlendshapeRig
from ..takes.measures.average_error import average_error
from ..takes.measures.bad_frames import find_bad_stretches
from ..takes.measures.metrics import measure_jitter
from ..takes.take import Take, usual_step_s
from .head_check import HeadCheck
from .report_style import STYLE
from .svg_plots import MAX_COLUMNS as _MAX_COLUMNS
from .svg_plots import data_uri, draw_heat_strip, draw_line_path, draw_missing_bands, nice_ticks, x_positions
from .thumbnails import Thumbnail

# A channel that never leaves this band is listed, not drawn.
_QUIET = 0.02
_MOST_STRETCHES = 100
_WIDE, _LEFT, _RIGHT = 1000.0, 64.0, 8.0
_HEAT_COLOR = (72, 132, 205)
_REGION_PREFIXES = {
    "brows": ("brow",),
    "eyes": ("eye", "lid", "blink"),
    "nose": ("nose",),
    "cheeks": ("cheek",),
    "jaw": ("jaw", "tongue"),
    "mouth": ("mouth", "lip"),
}


def write_report(
    path: Path,
    *,
    take: Take,
    rig: BlendshapeRig | None,
    thumbnails: Sequence[Thumbnail] = (),
    summary: Mapping[str, object] | None = None,
    channel_regions: Mapping[str, str] | None = None,
    title: str | None = None,
    notes: Sequence[str] = (),
    head_check: HeadCheck | None = None,
) -> None:
    """Write the report of a take as one self-contained HTML file, without scripts and without anything fetched.

    Args:
        path: the file, usually `<stem>.report.html`.
        take: what was solved.
        rig: what it drives, for the jitter measure D; None leaves that plot out.
        thumbnails: frames to show, in order; see `contact_sheet`.
        summary: what `summary.json` holds; used are frames_decoded, frames_solved, frames_missing, fps,
            seconds (per stage), versions, warnings; all may be absent.
        channel_regions: the region of each channel; absent ones go by their ARKit-like name.
        title: the heading; None: the source's name.
        notes: sentences that the reader should see first, besides the summary's warnings.
        head_check: whether the head shows what the footage shows; None: not looked at.
    Raises:
        FacecapError: the disk is full or the folder cannot be written.
    """
    summary = summary or {}
    source = str(take.provenance.get("source", "") or path.stem)
    heading = title or Path(source).name
    d_mm = _measure_jitter(take, rig)
    sections = [
        f"<h1>{escape(heading)}</h1>",
        _write_subtitle(take, rig),
        _draw_figures(take, summary, d_mm),
        _list_notes([*notes, *_texts(summary.get("warnings"))]),
        _draw_head_check(head_check),
        _draw_contact_sheet(thumbnails),
        _draw_quality(take, d_mm),
        _draw_weights(take, channel_regions or {}),
        _list_unobserved(take),
        _list_bad_stretches(take),
        _write_tables(summary),
        "<footer>FaceCap · times are seconds from the start of the footage. Jitter D: Meng and Wen 2019, "
        "equation 5, the mean distance that vertices move between two frames.</footer>",
    ]
    page = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(heading)} – FaceCap report</title><style>{STYLE}</style></head><body><main>"
        + "\n".join(section for section in sections if section)
        + "</main></body></html>\n"
    )
    with atomic_path(path) as temporary:
        temporary.write_text(page, encoding="utf-8")


def _measure_jitter(take: Take, rig: BlendshapeRig | None) -> NDArray[np.float64] | None:
    if rig is None:
        return None
    row_of = {name: k for k, name in enumerate(rig.channels)}
    shared = [k for k, name in enumerate(take.channels) if name in row_of]
    if not shared:
        return None
    if [row_of[take.channels[k]] for k in shared] == list(range(len(rig.channels))):
        deltas = rig.deltas
    else:
        deltas = rig.deltas[[row_of[take.channels[k]] for k in shared]]
    return measure_jitter(take.weights[:, shared], deltas, take.solved) * 1000.0


def _write_subtitle(take: Take, rig: BlendshapeRig | None) -> str:
    facts = [f"{take.image_size[0]} × {take.image_size[1]} px"] if take.image_size[0] else []
    if take.frame_count > 1:
        facts.append(f"{take.time_s[0]:.2f} to {take.time_s[-1]:.2f} s")
        step_s = usual_step_s(take.time_s)
        facts += [f"{1.0 / step_s:.3g} frames per second"] if step_s > 0 else []
    if rig is not None and rig.name:
        facts.append(f"on {rig.name}")
    if take.focal_px:
        facts.append(f"focal length {take.focal_px:.0f} px")
    return f'<p class="soft">{escape(" · ".join(facts))}</p>'


def _draw_figures(take: Take, summary: Mapping[str, object], d_mm: NDArray[np.float64] | None) -> str:
    solved = int(take.solved.sum())
    boxes = [(f"{solved}", "frames solved"), (f"{take.frame_count - solved}", "frames without a face")]
    fps = summary.get("fps")
    if isinstance(fps, int | float):
        boxes.append((f"{fps:.0f}", "frames per second, whole solve"))
    error = average_error(take)
    if error is not None:
        boxes.append((error.text, "average error"))
    if d_mm is not None and np.isfinite(d_mm).any():
        boxes.append((f"{np.nanmedian(d_mm):.3f} mm", "jitter D, median"))
    observed = len(take.channels) - len(set(take.not_observed) & set(take.channels))
    boxes.append((f"{observed} of {len(take.channels)}", "channels observed"))
    cells = "".join(f"<div><b>{escape(value)}</b><span>{escape(label)}</span></div>" for value, label in boxes)
    return f'<div class="figures">{cells}</div>'


def _list_notes(notes: Sequence[str]) -> str:
    if not notes:
        return ""
    items = "".join(f"<li>{escape(note)}</li>" for note in dict.fromkeys(notes))
    return f'<div class="notes"><ul>{items}</ul></div>'


def _draw_contact_sheet(thumbnails: Sequence[Thumbnail]) -> str:
    if not thumbnails:
        return ""
    figures = "".join(
        f'<figure><img alt="Frame {shot.frame}" src="{data_uri("image/jpeg", shot.jpeg)}">'
        f"<figcaption>{shot.time_s:.2f} s · frame {shot.frame}{'' if shot.has_face else ' · no face'}"
        "</figcaption></figure>"
        for shot in thumbnails
    )
    return f'<h2>Landmarks</h2><div class="sheet">{figures}</div>'


def _draw_head_check(check: HeadCheck | None) -> str:
    if check is None:
        return ""
    figures = "".join(
        f'<figure class="tall"><img alt="Frame {pair.frame}: footage above, head below" '
        f'src="{data_uri("image/jpeg", pair.jpeg)}">'
        f"<figcaption>{pair.time_s:.2f} s · frame {pair.frame}</figcaption></figure>"
        for pair in check.worst
    )
    return (
        f"<h2>Footage and head</h2><p>{escape(check.sentence)}</p>"
        '<p class="soft small">Below: of the frames that were compared, those that differ most.</p>'
        f'<div class="sheet">{figures}</div>'
    )


def _draw_quality(take: Take, d_mm: NDArray[np.float64] | None) -> str:
    if not take.frame_count:
        return ""
    plots = [_draw_plot(take, take.residual_px.astype(np.float64), "Average error, px")]
    if d_mm is not None:
        plots.append(_draw_plot(take, d_mm, "Jitter D, mm per frame"))
    plots.append(_draw_heat(take))
    cards = "".join(f'<div class="card">{plot}</div>' for plot in plots if plot)
    gap = " Shaded: no face in the picture." if (~take.solved).any() else ""
    return f'<h2>Quality over time</h2><p class="soft small">Time in seconds.{gap}</p>{cards}'


def _draw_plot(take: Take, values: NDArray[np.float64], title: str) -> str:
    finite = values[np.isfinite(values)]
    if not len(finite):
        return ""
    height, top = 120.0, 26.0
    ceiling = max(float(finite.max()) * 1.06, 1e-9)
    plot_width = _WIDE - _LEFT - _RIGHT
    x = x_positions(take.time_s, plot_width)
    y = height * (1.0 - values / ceiling)
    lines = [
        f'<line class="grid" x1="0" x2="{plot_width:.0f}" y1="{height * (1 - tick / ceiling):.1f}" '
        f'y2="{height * (1 - tick / ceiling):.1f}"/><text x="-8" y="{height * (1 - tick / ceiling) + 4:.1f}" '
        f'text-anchor="end">{tick:g}</text>'
        for tick in nice_ticks(0.0, ceiling, 4)
    ]
    median = float(np.median(finite))
    return (
        f'<svg viewBox="0 0 {_WIDE:.0f} {top + height + 24:.0f}" role="img" aria-label="{escape(title)}">'
        f'<text class="title" x="0" y="12">{escape(title)}</text>'
        f'<text x="{_WIDE - _RIGHT:.0f}" y="12" text-anchor="end">median {median:.3g} · max {finite.max():.3g}</text>'
        f'<g transform="translate({_LEFT:.0f} {top:.0f})">{"".join(lines)}'
        f"{draw_missing_bands(x, ~take.solved, plot_width, height)}"
        f'<path class="{_curve_class(take)}" d="{draw_line_path(x, y, plot_width)}"/>'
        f"{_draw_time_axis(take, plot_width, height)}</g></svg>"
    )


def _draw_heat(take: Take) -> str:
    if not take.regions:
        return ""
    row, top = 20.0, 26.0
    height = row * len(take.regions)
    plot_width = _WIDE - _LEFT - _RIGHT
    x = x_positions(take.time_s, plot_width)
    values = np.where(take.solved[:, None], take.confidence, np.nan)
    labels = "".join(
        f'<text x="-8" y="{row * (r + 0.5) + 4:.1f}" text-anchor="end">{escape(name)}</text>'
        for r, name in enumerate(take.regions)
    )
    rules = "".join(
        f'<line class="base" x1="0" x2="{plot_width:.0f}" y1="{row * r:.0f}" y2="{row * r:.0f}"/>'
        for r in range(len(take.regions) + 1)
    )
    strip = draw_heat_strip(x, values, plot_width, _HEAT_COLOR)
    legend = (
        '<defs><linearGradient id="confidence"><stop offset="0" stop-color="rgb(72,132,205)" stop-opacity="0"/>'
        '<stop offset="1" stop-color="rgb(72,132,205)"/></linearGradient></defs>'
        f'<text x="{_WIDE - _RIGHT - 128:.0f}" y="12" text-anchor="end">0</text>'
        f'<rect class="frame" x="{_WIDE - _RIGHT - 120:.0f}" y="3" width="100" height="10"/>'
        f'<rect x="{_WIDE - _RIGHT - 120:.0f}" y="3" width="100" height="10" fill="url(#confidence)"/>'
        f'<text x="{_WIDE - _RIGHT:.0f}" y="12" text-anchor="end">1</text>'
    )
    return (
        f'<svg viewBox="0 0 {_WIDE:.0f} {top + height + 24:.0f}" role="img" aria-label="Confidence per region">'
        f'<text class="title" x="0" y="12">Confidence per region</text>{legend}'
        f'<g transform="translate({_LEFT:.0f} {top:.0f})">'
        f'<image x="0" y="0" width="{plot_width:.0f}" height="{height:.0f}" preserveAspectRatio="none" '
        f'style="image-rendering:pixelated" href="{strip}"/>'
        f"{draw_missing_bands(x, ~take.solved, plot_width, height)}{rules}{labels}"
        f"{_draw_time_axis(take, plot_width, height)}</g></svg>"
    )


def _draw_time_axis(take: Take, width: float, height: float) -> str:
    first, last = float(take.time_s[0]), float(take.time_s[-1])
    if last <= first:
        return ""
    ticks = "".join(
        f'<text x="{(tick - first) / (last - first) * width:.1f}" y="{height + 16:.0f}" text-anchor="middle">'
        f"{tick:g}</text>"
        for tick in nice_ticks(first, last, 10)
    )
    return f'<line class="base" x1="0" x2="{width:.0f}" y1="{height:.0f}" y2="{height:.0f}"/>{ticks}'


def _draw_weights(take: Take, channel_regions: Mapping[str, str]) -> str:
    if not take.frame_count or not take.channels:
        return ""
    peaks = np.abs(take.weights).max(axis=0)
    regions: dict[str, list[int]] = {}
    quiet: list[str] = []
    for k, name in enumerate(take.channels):
        if peaks[k] < _QUIET:
            quiet.append(name)
        else:
            regions.setdefault(channel_regions.get(name) or region_of(name), []).append(k)
    order = [name for name in (*take.regions, *_REGION_PREFIXES) if name in regions]
    blocks: list[str] = []
    for region in dict.fromkeys([*order, *sorted(regions)]):
        cells = "".join(_draw_channel(take, k) for k in regions[region])
        blocks.append(f'<h3>{escape(region)}</h3><div class="multiples">{cells}</div>')
    silent = [name for name in quiet if name not in take.not_observed]
    if silent:
        blocks.append(f'<h3>At rest throughout</h3><p class="small">{escape(", ".join(silent))}</p>')
    return (
        '<h2>Weights</h2><p class="soft small">Every panel spans the weights 0 to 1, '
        "or more where the key went further.</p>" + "".join(blocks)
    )


def region_of(channel: str) -> str:
    """The region a channel's name speaks of, ARKit's names and similar ones; "other" if none."""
    name = channel.lower()
    for region, prefixes in _REGION_PREFIXES.items():
        if name.startswith(prefixes):
            return region
    found = [region for region, prefixes in _REGION_PREFIXES.items() if any(prefix in name for prefix in prefixes)]
    return found[0] if found else "other"


def _draw_channel(take: Take, k: int) -> str:
    values = np.where(take.solved, take.weights[:, k].astype(np.float64), np.nan)
    lowest, highest = (float(np.nanmin(values)), float(np.nanmax(values))) if take.solved.any() else (0.0, 0.0)
    low, high = min(0.0, lowest) if lowest < -_QUIET else 0.0, max(1.0, highest)
    width, height = 300.0, 46.0
    x = x_positions(take.time_s, width)
    y = height * (1.0 - (values - low) / (high - low))
    zero = height * (1.0 + low / (high - low))
    path = draw_line_path(x, y, width, max_columns=_MAX_COLUMNS)
    return (
        f'<div class="channel"><div>{escape(take.channels[k])}'
        f"<span>{f'{lowest:.2f} to ' if low < 0 else 'max '}{highest:.2f}</span></div>"
        f'<svg viewBox="0 0 {width:.0f} {height:.0f}" preserveAspectRatio="none" role="img" '
        f'aria-label="{escape(take.channels[k])}">{draw_missing_bands(x, ~take.solved, width, height)}'
        f'<line class="base" x1="0" x2="{width:.0f}" y1="{zero:.1f}" y2="{zero:.1f}"/>'
        f'<path class="{_curve_class(take)}" d="{path}"/></svg></div>'
    )


def _curve_class(take: Take) -> str:
    return "envelope" if take.frame_count > _MAX_COLUMNS else "curve"


def _list_unobserved(take: Take) -> str:
    return _list_channels(
        "Not observed", "The footage cannot show these channels; they stay at zero and get no keys.", take.not_observed
    ) + _list_channels(
        "Inferred",
        "Neither landmarks nor pixels settle these channels by themselves: what usually goes with the rest of the face "
        "decides them. All others were seen.",
        take.inferred,
    )


def _list_channels(title: str, meaning: str, channels: Sequence[str]) -> str:
    if not channels:
        return ""
    chips = "".join(f"<li>{escape(name)}</li>" for name in channels)
    return f'<h2>{title}</h2><p class="soft small">{meaning}</p><ul class="chips">{chips}</ul>'


def _list_bad_stretches(take: Take) -> str:
    stretches = find_bad_stretches(take)
    if not stretches:
        return ""
    rows = "".join(
        f'<tr><td class="number">{take.time_s[one.first]:.3f}</td><td class="number">{take.time_s[one.last]:.3f}</td>'
        f'<td class="number">{one.last - one.first + 1}</td><td>{escape(one.text)}</td></tr>'
        for one in stretches[:_MOST_STRETCHES]
    )
    left = len(stretches) - _MOST_STRETCHES
    more = f'<p class="soft small">and {left} more.</p>' if left > 0 else ""
    return (
        '<h2>To be looked at</h2><p class="soft small">Frames without a face get no keys: nothing is invented.</p>'
        '<table style="max-width:640px"><tr><th class="number">from, s</th><th class="number">to, s</th>'
        f'<th class="number">frames</th><th>why</th></tr>{rows}</table>{more}'
    )


def _write_tables(summary: Mapping[str, object]) -> str:
    seconds, versions = summary.get("seconds"), summary.get("versions")
    blocks: list[str] = []
    if isinstance(seconds, Mapping) and seconds:
        spent = {str(stage): float(value) for stage, value in seconds.items() if isinstance(value, int | float)}
        longest = max([*spent.values(), 1e-9])
        rows = "".join(
            f'<tr><td>{escape(stage)}</td><td class="number">{value:.2f}</td>'
            f'<td style="width:45%"><div class="bar" style="width:{100 * value / longest:.1f}%"></div></td></tr>'
            for stage, value in spent.items()
        )
        blocks.append(f"<div><h2>Seconds per stage</h2><table>{rows}</table></div>")
    if isinstance(versions, Mapping) and versions:
        rows = "".join(f"<tr><td>{escape(str(k))}</td><td>{escape(str(v))}</td></tr>" for k, v in versions.items())
        blocks.append(f"<div><h2>Versions</h2><table>{rows}</table></div>")
    return f'<div class="pair">{"".join(blocks)}</div>' if blocks else ""


def _texts(value: object) -> list[str]:
    return [str(item) for item in value] if isinstance(value, list | tuple) else []
