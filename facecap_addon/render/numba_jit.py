"""Loops that numba compiles when they are first called; what it made is kept beside them for the next time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

Function = TypeVar("Function", bound=Callable[..., Any])


def jit(function: Function) -> Function:
    """Compile a function of arrays; it lets go of Python's lock, so that threads run it side by side."""
    return cast(Function, numba.njit(nogil=True, cache=True)(function))


def jit_inline(function: Function) -> Function:
    """The same for a small function that only compiled ones call."""
    return cast(Function, numba.njit(nogil=True, inline="always")(function))
