"""Lips that touch are seen to touch, from the side as well as from the front; and a squint is no blink."""

from __future__ import annotations

import numpy as np

from facecap_addon.fit.energies.contact import measure_closedness, seal_lips
from facecap_addon.fit.energies.landmark_terms import LIPS, terms_for
from facecap_addon.fit.settings import FitSettings
from facecap_addon.fit.solve import solve_take
from tests.unit.sample import mesh_landmarks, sample, seen


def test_lips_that_touch_are_seen_to_touch_from_the_side_too() -> None:
    """The inner edge of the lower lip lies deeper than that of the upper one, which from the side is no gap."""
    neutral, deltas = mesh_landmarks()
    turns = np.array([0.0, 0.5, -0.5])
    turn = np.zeros((6, 3))
    turn[:, 1] = np.tile(turns, 2)
    weights = np.zeros((6, len(deltas)))
    weights[3:, sample().rig.channels.index("jawOpen")] = 0.3
    observed = seen(neutral, deltas, weights, turn, np.tile([0.0, 0.0, 0.6], (6, 1)))
    terms = terms_for("mediapipe-478")
    closed = measure_closedness(terms, observed.landmarks_px[:, terms.used].astype(np.float64))
    lips = closed[:, terms.gap_group == LIPS]
    assert lips[:3].min() > 0.8
    assert np.abs(lips[1:3] - lips[0]).max() < 0.15
    assert lips[3:, lips.shape[1] // 2].max() < 0.01


def test_a_squint_is_no_blink() -> None:
    """Both narrow the eye as far: which lid moves tells them apart."""
    channels = sample().rig.channels
    frames, squinted, blinked = 90, 17, 47
    weights = np.zeros((frames, len(channels)))
    bump = np.sin(np.linspace(0, np.pi, 15))
    for side in ("Left", "Right"):
        weights[10:25, channels.index(f"eyeSquint{side}")] = 0.8 * bump
        weights[40:55, channels.index(f"eyeBlink{side}")] = 0.35 * bump
    turn = np.zeros((frames, 3))
    turn[:, 2] = 0.1 * np.sin(np.arange(frames) / 9)
    observed = seen(*mesh_landmarks(), weights, turn, np.tile([0.0, 0.0, 0.6], (frames, 1)))
    take = solve_take(observed, sample().rig, sample().embedding, FitSettings())
    for side in ("Left", "Right"):
        squint, blink = (take.weights[:, channels.index(f"{key}{side}")] for key in ("eyeSquint", "eyeBlink"))
        assert squint[squinted] > 2 * blink[squinted] > 0
        assert blink[blinked] > 3 * squint[blinked]


def test_lips_close_over_an_open_jaw_for_the_network_as_on_the_mesh() -> None:
    """It sees the jaw open by less than the lips close, or by more: both keys up would be half open, or crushed."""
    terms, (_, mesh), response = terms_for("mediapipe-478"), mesh_landmarks(), sample().response
    channels = sample().rig.channels
    lips = terms.gap_group == LIPS
    upper, lower = terms.gap_upper[lips], terms.gap_lower[lips]
    both = [channels.index("jawOpen"), channels.index("mouthClose")]

    def left_open_mm(deltas: np.ndarray) -> np.ndarray:
        return 1000 * (deltas[both][:, upper] - deltas[both][:, lower]).sum(axis=0)

    seen_keys, mesh_keys = response.deltas[:, terms.used], mesh[:, terms.used].astype(np.float32)
    sealed = seal_lips(terms, channels, seen_keys, mesh_keys)
    assert np.abs(left_open_mm(seen_keys) - left_open_mm(mesh_keys)).max() > 1.0
    np.testing.assert_allclose(left_open_mm(sealed), left_open_mm(mesh_keys), atol=0.01)
    others = np.setdiff1d(np.arange(len(channels)), both[1])
    np.testing.assert_array_equal(sealed[others], seen_keys[others])
    np.testing.assert_array_equal(seal_lips(terms, ("a", "b"), seen_keys[:2], mesh_keys[:2]), seen_keys[:2])
