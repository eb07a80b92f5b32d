"""glTF 2.0 binary files (GLB), by the published specification: a JSON chunk and a chunk of numbers behind it."""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...arrays import F32
from ...atomic_file import atomic_path
from ...errors import UNREADABLE, FacecapError

_HEADER, _CHUNK = struct.Struct("<4sII"), struct.Struct("<II")
_MAGIC, _VERSION, _JSON, _BIN = b"glTF", 2, 0x4E4F534A, 0x004E4942
_FLOAT = 5126
_COUNTS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4}
_MOST_JSON = 1 << 29


@dataclass
class Gltf:
    """An open GLB.

    Attributes:
        facts: its JSON.  data: its chunk of numbers, which grows as arrays are added.
    """

    facts: dict[str, Any]
    data: bytearray = field(default_factory=bytearray)

    def add_array(self, values: NDArray[np.floating], *, limits: bool = False) -> int:
        """Add an accessor of (N,) or (N, C) float32, C 2 to 4; returns its index.

        Args:
            limits: whether smallest and largest are said, which the specification wants of times.
        """
        array = np.ascontiguousarray(values, "<f4")
        kind = next(kind for kind, count in _COUNTS.items() if count == (1 if array.ndim == 1 else array.shape[1]))
        self.data += bytes(-len(self.data) % 4)
        view = {"buffer": 0, "byteOffset": len(self.data), "byteLength": array.nbytes}
        self.data += array.tobytes()
        views, accessors = self.facts.setdefault("bufferViews", []), self.facts.setdefault("accessors", [])
        views.append(view)
        accessor = {"bufferView": len(views) - 1, "componentType": _FLOAT, "count": len(array), "type": kind}
        if limits:
            rows = array.reshape(len(array), -1)
            accessor |= {"min": rows.min(axis=0).tolist(), "max": rows.max(axis=0).tolist()}
        accessors.append(accessor)
        return len(accessors) - 1

    def array(self, accessor: int) -> F32:
        """(N,) or (N, C) float32 of an accessor. Raises ValueError if it is of another type, or lies outside."""
        facts = self.facts["accessors"][accessor]
        view = self.facts["bufferViews"][facts["bufferView"]]
        if facts["componentType"] != _FLOAT or view.get("byteStride") or "sparse" in facts:
            raise ValueError("an accessor is not of plain floats")
        width, count = _COUNTS[facts["type"]], facts["count"]
        start = view.get("byteOffset", 0) + facts.get("byteOffset", 0)
        if count < 0 or start < 0 or start + 4 * width * count > len(self.data):
            raise ValueError("an accessor lies outside of the file")
        values = np.frombuffer(self.data, "<f4", width * count, start).astype(np.float32)
        return values if width == 1 else values.reshape(count, width)


def read_glb(path: Path) -> Gltf:
    """Open a GLB file. Raises FacecapError if it is none, or cut off."""
    try:
        size = path.stat().st_size
        with path.open("rb") as stream:
            magic, version, length = _HEADER.unpack(stream.read(_HEADER.size))
            if magic != _MAGIC or version != _VERSION or length > size:
                raise ValueError("it is no glTF 2.0, or cut off")
            count, kind = _CHUNK.unpack(stream.read(_CHUNK.size))
            if kind != _JSON or count > min(length, _MOST_JSON):
                raise ValueError("it does not begin with JSON")
            facts = json.loads(stream.read(count))
            data = bytearray()
            head = stream.read(_CHUNK.size)
            if len(head) == _CHUNK.size:
                count, kind = _CHUNK.unpack(head)
                if kind != _BIN or count > length:
                    raise ValueError("its second chunk is not of numbers")
                data = bytearray(stream.read(count))
        if not isinstance(facts, dict):
            raise ValueError("its JSON is no object")
        return Gltf(facts, data)
    except FileNotFoundError as error:
        raise FacecapError(f"There is no file {path}.", "Check the path.") from error
    except UNREADABLE as error:
        raise FacecapError(f"{path.name} is damaged or no GLB file ({error}).", "Export it again.") from error


def write_glb(path: Path, gltf: Gltf) -> None:
    """Write a GLB file, completely or not at all. Raises FacecapError if it cannot be written or is too large."""
    buffers = gltf.facts.setdefault("buffers", [{}])
    buffers[0]["byteLength"] = len(gltf.data)
    text = json.dumps(gltf.facts, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
    text += b" " * (-len(text) % 4)
    data = bytes(gltf.data) + bytes(-len(gltf.data) % 4)
    length = _HEADER.size + 2 * _CHUNK.size + len(text) + len(data)
    if length >= 1 << 32:
        raise FacecapError(f"{path.name} would be larger than 4 GiB, which GLB cannot be.", "Export a shorter range.")
    with atomic_path(path) as temporary, temporary.open("wb") as stream:
        stream.write(_HEADER.pack(_MAGIC, _VERSION, length))
        stream.write(_CHUNK.pack(len(text), _JSON) + text)
        stream.write(_CHUNK.pack(len(data), _BIN) + data)


def add_sampler(gltf: Gltf, animation: dict[str, Any], times: int, values: int, node: int, path: str) -> None:
    """Add a linear channel to an animation: accessors of times and values, and what of which node they move."""
    samplers, channels = animation.setdefault("samplers", []), animation.setdefault("channels", [])
    samplers.append({"input": times, "output": values, "interpolation": "LINEAR"})
    channels.append({"sampler": len(samplers) - 1, "target": {"node": node, "path": path}})


def target_names(mesh: dict[str, Any]) -> Sequence[str]:
    """Names of a mesh's morph targets, as Blender and others write them; empty where there are none."""
    names = (mesh.get("extras") or {}).get("targetNames")
    return names if isinstance(names, list) and all(isinstance(name, str) for name in names) else []
