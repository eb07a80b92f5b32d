"""Read the sample head's rig and landmarks once and keep them beside it: `python -m tools.build_sample_cache`.

With these files a solve on the sample head needs no Blender for the rig, and no time to place the landmarks.
"""

from __future__ import annotations

from facecap_addon.jobs.steps.character import character_source, embedding_of, read_rig, response_of
from facecap_addon.jobs.steps.sample_head import CACHE
from facecap_addon.landmarks.registry import open_landmarker


def main() -> int:
    before = set(CACHE.glob("*.npz"))
    reading = read_rig(character_source(None), blender=None, hook=None, folder=CACHE)
    while True:
        try:
            next(reading)
        except StopIteration as stop:
            rig, _ = stop.value
            break
    landmarker = open_landmarker()
    embedding = embedding_of(rig, landmarker, CACHE)
    response_of(rig, embedding, landmarker, CACHE)
    made = set(CACHE.glob("*.npz")) - before
    for kind in {path.name.partition("-")[0] for path in made}:
        for outdated in (path for path in before if path.name.startswith(f"{kind}-")):
            outdated.unlink()
    print(f"sample head: {rig.vertex_count} vertices, {len(rig.channels)} keys, {len(made)} files made")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
