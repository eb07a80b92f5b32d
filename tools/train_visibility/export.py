"""Writes a trained visibility network as the file that ships, with a probe.

python -m tools.train_visibility.export TRAINED.pt
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch

from facecap_addon.landmarks.face_crops import WHOLE_FACE
from facecap_addon.landmarks.probes import Probe, save_probe
from facecap_addon.landmarks.visibility import MODEL_PATH

from .network import Visibility, load_trained


def export(network: Visibility, path: Path) -> None:
    """Write the network, and what it makes of three random pictures."""
    width, height = WHOLE_FACE.size
    pictures = np.random.default_rng(0).integers(0, 256, (3, height, width, 3), dtype=np.uint8)
    given = torch.from_numpy(pictures)
    torch.onnx.export(
        network,
        (given,),
        str(path),
        input_names=[WHOLE_FACE.name],
        output_names=["covered"],
        dynamic_axes={name: {0: "faces"} for name in (WHOLE_FACE.name, "covered")},
        opset_version=17,
        dynamo=False,
    )
    with torch.no_grad():
        expected = network.double()(given).numpy().astype(np.float32)
    network.float()
    save_probe(path, Probe({WHOLE_FACE.name: pictures}, {"covered": expected}))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("trained", type=Path, help="the .pt that train wrote")
    parser.add_argument("--out", type=Path, default=MODEL_PATH)
    options = parser.parse_args()
    export(load_trained(options.trained), options.out)


if __name__ == "__main__":
    main()
