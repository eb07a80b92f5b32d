"""Puts two trained expression priors into one that answers with their mean.

    python -m tools.train_prior.average OUT.npz ONE.npz OTHER.npz

Trainings on other people err in other ways, and the mean errs less than either. Both must have the same template.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Arrays = dict[str, NDArray[np.generic]]
_SAME = ("scheme", "channels", "template", "align_weight", "subset", "layer_count")
_TURN = 3


def average_priors(one: Arrays, other: Arrays) -> Arrays:
    """Arrays of a prior whose network holds both side by side; poses are those of the first.

    Raises:
        ValueError: the two look at different landmarks, or align them differently.
    """
    differing = [name for name in _SAME if not np.array_equal(one[name], other[name])]
    if differing:
        raise ValueError(f"these priors differ in {', '.join(differing)}")

    def of(prior: Arrays, name: str) -> NDArray[np.float64]:
        return prior[name].astype(np.float64)

    shape = len(one["identity_mean"])
    count = int(one["layer_count"])
    out = dict(one)
    out["identity_basis"] = np.concatenate([one["identity_basis"], other["identity_basis"]], axis=1)
    for name in ("response", "covariance"):
        out[name] = ((of(one, name) + of(other, name)) / 2).astype(np.float32)
    for i in range(count):
        first, second = of(one, f"weight_{i}"), of(other, f"weight_{i}")
        bias = [of(one, f"bias_{i}"), of(other, f"bias_{i}")]
        if i == 0:
            # Displacement and turn go to both, identity coefficients to the one whose basis they are of.
            bases = [slice(shape, len(weight) - _TURN) for weight in (first, second)]
            unseen = [
                np.zeros((bases[0].stop - shape, second.shape[1])),
                np.zeros((bases[1].stop - shape, first.shape[1])),
            ]
            joined = np.block(
                [
                    [first[:shape], second[:shape]],
                    [first[bases[0]], unseen[0]],
                    [unseen[1], second[bases[1]]],
                    [first[-_TURN:], second[-_TURN:]],
                ]
            )
            # Coefficients are now of what differs from the first's mean face.
            from_mean = (of(one, "identity_mean") - of(other, "identity_mean")) @ of(other, "identity_basis")
            bias[1] = bias[1] + from_mean @ second[bases[1]]
            joined_bias = np.concatenate(bias)
        elif i < count - 1:
            zeros = np.zeros((len(first), second.shape[1])), np.zeros((len(second), first.shape[1]))
            joined, joined_bias = np.block([[first, zeros[0]], [zeros[1], second]]), np.concatenate(bias)
        else:
            joined, joined_bias = np.concatenate([first, second]) / 2, (bias[0] + bias[1]) / 2
        out[f"weight_{i}"] = joined.astype(one[f"weight_{i}"].dtype)
        out[f"bias_{i}"] = joined_bias.astype(np.float32)
    return out


def main() -> None:
    out, *paths = (Path(name) for name in sys.argv[1:])
    loaded: list[Arrays] = []
    for path in paths:
        with np.load(path, allow_pickle=False) as data:
            loaded.append({name: data[name] for name in data.files})
    np.savez_compressed(out, **average_priors(*loaded))


if __name__ == "__main__":
    main()
