"""A take's curves in a format of another program that needs no mesh."""

from __future__ import annotations

from pathlib import Path

from ...errors import FacecapError
from ...rig.channels import ARKIT_CHANNELS, arkit_name
from ...rig.mapping.mapping import Mapping
from ..between import frame_rate
from ..take import Take
from .arkit_json import write_arkit_json
from .curves import Curves, curves_of, mapped_take, with_arkit_names
from .live_link import write_live_link_csv
from .unity_anim import write_unity_clip
from .unreal_curves import write_curve_table
from .vrm_animation import write_vrm_animation

CURVE_FORMATS = ("live-link", "arkit-json", "unreal", "unity", "vrma")


def export_curves(
    take: Take, form: str, path: Path, *, mapping: Mapping | None = None, name: str = "", mesh: str = ""
) -> list[str]:
    """Write a take; returns what there is to say.

    Args:
        form: one of CURVE_FORMATS.  mapping: what it moves is written instead of the take's channels.
        name: of the clip, where the format has one; "" for the file's.  mesh: for Unity, see `write_unity_clip`.
    Raises:
        FacecapError: the take has no frame with a face, or a mapping moves nothing; the file cannot be written.
    """
    name = name or path.name.partition(".")[0]
    if form == "live-link":
        shown = take if mapping is None else mapped_take(take, mapping)
        names = {channel: arkit_name(channel) or channel for channel in shown.channels}
        written = write_live_link_csv(path, shown, arkit_names=names)
        notes = [f"{written.rows} frames"]
        return notes + _left_out(written.left_out, "columns for ARKit's 52 alone")
    curves = curves_of(take, mapping)
    if not curves.names:
        raise FacecapError(
            "The mapping moves nothing by the channels of this take.", "Choose a mapping from ARKit's channels."
        )
    match form:
        case "arkit-json":
            return [f"{write_arkit_json(path, _arkit_named(curves, mapping), take)} frames"]
        case "unreal":
            return [f"{write_curve_table(path, _as_live_link(curves, mapping))} keys on {len(curves.names)} curves"]
        case "unity":
            count = write_unity_clip(path, curves, name, mesh, frame_rate(take))
            return [f"{count} keys on {len(curves.names)} curves"]
        case "vrma":
            refused = write_vrm_animation(path, _arkit_named(curves, mapping), take, name)
            return [f"{int(curves.has_face.sum())} frames", *_left_out(refused, "no expressions of looking")]
        case unknown:
            raise FacecapError(f"There is no format {unknown!r}.", f"Formats: {', '.join(CURVE_FORMATS)}.")


def _arkit_named(curves: Curves, mapping: Mapping | None) -> Curves:
    """Under ARKit's names, unless a mapping has given others."""
    return with_arkit_names(curves) if mapping is None else curves


def _as_live_link(curves: Curves, mapping: Mapping | None) -> Curves:
    """Under the names that Unreal knows from Live Link Face, unless a mapping has given others."""
    if mapping is not None:
        return curves
    named = with_arkit_names(curves)
    names = (name[0].upper() + name[1:] if name in ARKIT_CHANNELS else name for name in named.names)
    return Curves(tuple(names), named.time_s, named.values, named.has_face)


def _left_out(names: tuple[str, ...] | list[str], has: str) -> list[str]:
    shown = ", ".join(names[:4]) + (", …" if len(names) > 4 else "")
    return [f"The format has {has}; left out: {shown}"] if names else []
