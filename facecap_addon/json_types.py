"""Types of what is written as JSON and read from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

Json: TypeAlias = "None | bool | int | float | str | Sequence[Json] | Mapping[str, Json]"
"""A value that JSON can hold."""
Facts: TypeAlias = dict[str, Json]
"""A JSON object that is being put together."""
Decoded: TypeAlias = dict[str, Any]
"""A JSON object that was read: of its values nothing is known."""
