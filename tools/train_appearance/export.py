"""Writes a trained appearance network as the files that ship: the trunk as ONNX, the head as arrays, a probe."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from facecap_addon.fit.energies.appearance import MODEL_PATH as HEAD_PATH
from facecap_addon.landmarks.appearance import MODEL_PATH as TRUNK_PATH
from facecap_addon.landmarks.face_crops import CROPS
from facecap_addon.landmarks.probes import Probe, save_probe
from facecap_addon.rig.channels import ARKIT_CHANNELS

from .channels import HARDLY_SHOWN
from .network import Head, Trunk, load_trained

UNMEASURED, MOST_DOUBT = 1.5, 2.5


def export_trunk(trunk: Trunk, path: Path) -> None:
    """Write the trunk and what it makes of three random pictures."""
    random = np.random.default_rng(0)
    shapes = [(3, shape.size[1], shape.size[0], 3) for shape in CROPS]
    pictures = [random.integers(0, 256, s, dtype=np.uint8) for s in shapes]
    given = tuple(torch.from_numpy(p) for p in pictures)
    path.parent.mkdir(parents=True, exist_ok=True)
    names = [shape.name for shape in CROPS]
    torch.onnx.export(
        trunk,
        given,
        str(path),
        input_names=names,
        output_names=["features"],
        dynamic_axes={name: {0: "faces"} for name in [*names, "features"]},
        opset_version=17,
        dynamo=False,
    )
    with torch.no_grad():
        expected = trunk.double()(*given).numpy().astype(np.float32)
    trunk.float()
    save_probe(path, Probe(dict(zip(names, pictures, strict=True)), {"features": expected}))


def export_head(head: Head, path: Path, channels: tuple[str, ...], doubt: NDArray[np.float64]) -> None:
    """Write the head of some channels.

    Args:
        doubt: (len(channels),) factor on its standard deviations.
    """
    at = [ARKIT_CHANNELS.index(c) for c in channels]
    columns = at + [len(ARKIT_CHANNELS) + k for k in at]
    arrays = {}
    for i, layer in enumerate(head.linear()):
        last = i == len(head.linear()) - 1
        weight, bias = layer.weight.detach().numpy().T, layer.bias.detach().numpy()
        arrays[f"weight_{i}"] = (weight[:, columns] if last else weight).astype(np.float16)
        arrays[f"bias_{i}"] = (bias[columns] if last else bias).astype(np.float32)
    np.savez_compressed(path, channels=np.array(channels), doubt=doubt, layer_count=len(head.linear()), **arrays)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("trained", type=Path, help="the .pt that train wrote")
    parser.add_argument("--without", nargs="*", default=[], help="channels left to the landmarks")
    parser.add_argument("--doubt", type=Path, help="doubt.npy of a training that left one rig out and was tested on it")
    options = parser.parse_args()
    trunk, head = load_trained(options.trained)
    kept = tuple(c for c in HARDLY_SHOWN if c not in options.without)
    export_trunk(trunk, TRUNK_PATH)
    doubt = np.full(len(ARKIT_CHANNELS), np.nan) if options.doubt is None else np.load(options.doubt).astype(np.float64)
    doubt = np.clip(np.where(np.isfinite(doubt), doubt, UNMEASURED), 1.0, MOST_DOUBT)
    export_head(head, HEAD_PATH, kept, doubt[[ARKIT_CHANNELS.index(c) for c in kept]])


if __name__ == "__main__":
    main()
