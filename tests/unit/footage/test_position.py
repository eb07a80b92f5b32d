"""Positions as people type them."""

from __future__ import annotations

import pytest

from facecap_addon.errors import FacecapError
from facecap_addon.footage.footage import parse_rate
from facecap_addon.footage.position import Position, parse_position


@pytest.mark.parametrize(
    ("text", "value", "unit"),
    [
        ("120f", 120, "frames"),
        (" 120 ", 120, "frames"),
        (120, 120, "frames"),
        ("4.5s", 4.5, "seconds"),
        ("4.5", 4.5, "seconds"),
        ("4 s", 4, "seconds"),
        (4.0, 4, "seconds"),
        ("00:01:02.5", 62.5, "seconds"),
        ("1:02.5", 62.5, "seconds"),
        ("01:00:00", 3600, "seconds"),
    ],
)
def test_positions(text: str | float, value: float, unit: str) -> None:
    assert parse_position(text) == Position(value, unit)  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ["", "-3f", "-1.0", "f", "4.5f", "1:2:3:4", "nan", "1e9999", "soon", -4, float("inf")])
def test_what_is_no_position(text: str | float) -> None:
    with pytest.raises(FacecapError, match="120f"):
        parse_position(text)


def test_rates() -> None:
    assert parse_rate("24000/1001") == parse_rate("24000/1001")
    assert float(parse_rate("29.97")) == pytest.approx(29.97)
    for nonsense in ("fast", "0", "-5", "1/0", "100000"):
        with pytest.raises(FacecapError):
            parse_rate(nonsense)
