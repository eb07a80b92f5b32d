"""The energy of a solve, put together from what was seen, the character's channels and what is expected of them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ...arrays import F64
from ...rig.blendshapes import BlendshapeRig
from ...rig.channels import arkit_name, region_of
from ..least_squares.levenberg_marquardt import Terms
from ..least_squares.normal_equations import MM, POSE
from .appearance import WeightObservation
from .expression_prior import Expectation
from .visible_frames import VisibleFrames
from .weight_priors import ChannelPriors, prior_mean

ROBUST_MM = 6.0
OBSERVED_MM = 0.4
"""A key that moves no landmark of a life-size head by this much cannot be seen in the landmarks."""
_ERROR_LIMIT, _ERROR_SMOOTH = 4.0, 1.0


def channels_not_observed(
    channels: tuple[str, ...], deltas: NDArray[np.float32], in_pixels: tuple[str, ...] = ()
) -> tuple[str, ...]:
    """Channels that the footage cannot show: those that move no landmark, and the tongue; but for those in pixels.

    Args:
        channels: K names.  deltas: (K, L, 3) float32 m, head space, life size.
        in_pixels: ARKit's names of channels that are read from pixels.
    """
    reach = np.linalg.norm(deltas, axis=2).max(1) * MM
    return tuple(
        c
        for c, r in zip(channels, reach, strict=True)
        if arkit_name(c) not in in_pixels
        and (r < OBSERVED_MM or (arkit_name(c) is not None and region_of(str(arkit_name(c))) == "tongue"))
    )


@dataclass(frozen=True)
class Energy:
    """The energy of all seen frames, to be had for some of them at a time.

    Attributes:
        seen: the frames.
        priors: of the character's channels, error modes of the network included.
        mean: (N, K + B) float64, expected weights.  low, high: (K + B,) float64.
        pixels: (N, K + B), weights as pixels show them.
        held: (N, 6 + K + B) bool, unknowns that stay as they are.
    """

    seen: VisibleFrames
    priors: ChannelPriors
    mean: F64
    low: F64
    high: F64
    pixels: WeightObservation
    held: NDArray[np.bool_]

    def terms(self, frames: slice | NDArray[np.intp], focal_px: float = 1.0) -> Terms:
        """Terms of some frames; `observed` is in pixels from the principal point unless the focal length is given."""
        centred_px, weight, shut = self.seen.landmarks(frames)
        return Terms(
            observed=centred_px / focal_px,
            weight=weight,
            shut=shut,
            robust_mm=ROBUST_MM,
            prior_mean=self.mean[frames],
            prior_precision=self.priors.precision,
            seen_mean=self.pixels.mean[frames],
            seen_precision=self.pixels.precision[frames],
            sparsity=self.priors.sparsity,
            opposed=self.priors.opposed,
            opposed_weight=self.priors.opposed_weight,
            within=self.priors.within,
            within_weight=self.priors.within_weight,
            low=self.low,
            high=self.high,
            time_s=self.seen.time_s[frames],
            held=self.held[frames],
            smooth=self.priors.smooth,
        )


def energy_of(
    rig: BlendshapeRig,
    priors: ChannelPriors,
    seen: VisibleFrames,
    expectation: Expectation | None,
    not_observed: tuple[str, ...],
    error_modes: int,
    pixels: WeightObservation | None = None,
) -> Energy:
    """The energy of seen frames.

    Args:
        expectation: what the expression prior says, or None.  not_observed: channels held at rest.
        error_modes: how many unknowns per frame come after the weights: how far the network errs along each error mode,
            in standard deviations.
        pixels: (N, K) weights as pixels show them; absent: nobody looked.
    """
    low, high = rig.ranges.astype(np.float64).T.copy()
    for channel in not_observed:
        k = rig.channels.index(channel)
        low[k] = high[k] = 0.0
    expected = expectation.weights if expectation is not None else None
    mean = prior_mean(priors, expected, len(seen.rows), low, high)
    known = len(low)
    if pixels is None:
        pixels = WeightObservation(np.zeros_like(mean), np.zeros_like(mean))
    precision = np.eye(known + error_modes)
    precision[:known, :known] = priors.precision
    with_error_modes = replace(
        priors,
        precision=precision,
        sparsity=np.pad(priors.sparsity, (0, error_modes)),
        smooth=np.pad(priors.smooth, (0, error_modes), constant_values=_ERROR_SMOOTH),
    )
    return Energy(
        seen,
        with_error_modes,
        np.pad(mean, ((0, 0), (0, error_modes))),
        np.pad(low, (0, error_modes), constant_values=-_ERROR_LIMIT),
        np.pad(high, (0, error_modes), constant_values=_ERROR_LIMIT),
        WeightObservation(
            np.pad(pixels.mean, ((0, 0), (0, error_modes))), np.pad(pixels.precision, ((0, 0), (0, error_modes)))
        ),
        np.zeros((len(mean), POSE + known + error_modes), bool),
    )
