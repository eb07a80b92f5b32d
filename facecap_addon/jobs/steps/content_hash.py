"""A short name for the content of footage, so that work done on it is found again."""

from __future__ import annotations

from ...footage.content import content_key

__all__ = ["content_key"]
