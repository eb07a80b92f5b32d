"""Which processor a number was measured on: times mean nothing without it."""

from __future__ import annotations

import os
import platform
from pathlib import Path


def processor() -> str:
    """Its name as the system gives it, what it can that 8-bit networks profit from, and how many cores there are."""
    name, flags = platform.processor() or platform.machine(), ""
    facts = Path("/proc/cpuinfo")
    if facts.is_file():
        lines = dict(line.split(":", 1) for line in facts.read_text(encoding="utf-8").splitlines() if ":" in line)
        found = {key.strip(): value.strip() for key, value in lines.items()}
        name = found.get("model name", name)
        kinds = [
            kind for kind in ("avx2", "avx512f", "avx_vnni", "avx512_vnni") if kind in found.get("flags", "").split()
        ]
        flags = f" ({', '.join(kinds)})" if kinds else ""
    return f"{name}{flags}, {os.cpu_count()} cores"
