"""Known answers for the networks that are committed: `python -m tools.make_probes`.

Writes a `.probe.npz` beside each generator, the expression prior and the appearance network's head. The answers of the
latter two are calculated in 64 bits, the generators' by onnxruntime on the computer this runs on; of a generator that
is trained they are written with it, right after it was compared with torch. The landmark networks' are written by
`tools.build_models`, that of the appearance network's trunk by `tools.train_appearance.export`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from facecap_addon.fit.energies.appearance import MODEL_PATH as HEAD_PATH
from facecap_addon.fit.energies.expression_prior import MODEL_PATH as PRIOR_PATH
from facecap_addon.fit.energies.expression_prior import network_output
from facecap_addon.generate.authored.emotions import EXPRESSIONS
from facecap_addon.generate.learned.generator import find_shipped
from facecap_addon.generate.learned.training import make_probe
from facecap_addon.landmarks.probes import Probe, save_probe

ROWS = 4


def layers_probe(path: Path) -> Probe:
    """Some rows into a network kept as layers, and what it makes of them."""
    with np.load(path, allow_pickle=False) as data:
        layers = [(data[f"weight_{i}"], data[f"bias_{i}"]) for i in range(int(data["layer_count"]))]
    rows = np.random.default_rng(0).normal(scale=0.3, size=(ROWS, len(layers[0][0]))).astype(np.float32)
    in_64 = [(weight.astype(np.float64), bias.astype(np.float64)) for weight, bias in layers]
    return Probe({"rows": rows}, {"weights": network_output(in_64, rows.astype(np.float64)).astype(np.float32)})


def main() -> None:
    for expression in EXPRESSIONS:
        print(save_probe(find_shipped(expression), make_probe(find_shipped(expression).read_bytes())))
    for path in (PRIOR_PATH, HEAD_PATH):
        print(save_probe(path, layers_probe(path)))


if __name__ == "__main__":
    main()
