"""Lips and lids of a trained solver's faces that nearly touch are closed; what is open stays as it is."""

from __future__ import annotations

import numpy as np

from facecap_addon.fit.contact_pass import LIDS_MM, LIPS_MM, ContactPass
from facecap_addon.fit.energies.landmark_terms import LIPS, terms_for
from tests.unit.sample import sample

_EXACT_MM = 0.05
"""Landmarks lie beside the rims, where a slit of this width is none."""


def make() -> tuple[ContactPass, np.ndarray, list[str]]:
    """The pass of the sample head, which of its gaps are lips', and its channels."""
    found, channels = ContactPass(sample().rig, sample().embedding), list(sample().rig.channels)
    lips = int((terms_for("mediapipe-478").gap_group == LIPS).sum())
    return found, np.arange(found.measure_open_mm(np.zeros((1, len(channels)))).shape[1]) < lips, channels


def raise_keys(channels: list[str], values: dict[str, float]) -> np.ndarray:
    """(1, K) weights."""
    out = np.zeros((1, len(channels)), np.float32)
    for name, value in values.items():
        out[0, channels.index(name)] = value
    return out


def test_a_blink_that_leaves_a_slit_is_shut() -> None:
    contact, lips, channels = make()
    weights = raise_keys(channels, {"eyeBlinkLeft": 0.93, "eyeBlinkRight": 0.95, "mouthSmileLeft": 0.4, "jawOpen": 0.5})
    before, closed = contact.measure_open_mm(weights), contact.close(weights)
    after = contact.measure_open_mm(closed)
    assert before[0, ~lips].max() > 0.3 > _EXACT_MM >= after[0, ~lips].max()
    # The mouth has nothing to do with it.
    mouth = [k for k, c in enumerate(channels) if c.startswith(("mouth", "jaw"))]
    np.testing.assert_allclose(closed[0, mouth], weights[0, mouth], atol=0.01)
    assert (closed >= 0).all() and (closed <= 1).all()


def test_lips_with_a_slit_between_them_meet_and_the_rest_of_the_face_stays() -> None:
    contact, lips, channels = make()
    weights = raise_keys(channels, {"jawOpen": 0.011, "eyeWideLeft": 0.6, "browInnerUp": 0.3})
    closed = contact.close(weights)
    assert contact.measure_open_mm(weights)[0, lips].max() > 2 * _EXACT_MM
    assert contact.measure_open_mm(closed)[0, lips].max() <= _EXACT_MM
    rig = sample().rig
    moved = np.linalg.norm(np.tensordot(closed - weights, rig.deltas, axes=1)[0], axis=1)
    assert 1000 * np.sqrt((moved**2).mean()) < 0.2
    eyes = [k for k, c in enumerate(channels) if c.startswith(("eye", "brow"))]
    np.testing.assert_allclose(closed[0, eyes], weights[0, eyes], atol=0.01)


def test_eyes_and_mouths_that_are_open_stay_as_they_are() -> None:
    contact, _, channels = make()
    weights = np.concatenate(
        [
            raise_keys(channels, {"jawOpen": 0.4}),
            raise_keys(channels, {"eyeSquintLeft": 1.0, "eyeSquintRight": 0.7}),
            raise_keys(channels, {"eyeBlinkLeft": 0.5, "jawOpen": 0.2, "mouthClose": 0.05}),
        ]
    )
    np.testing.assert_array_equal(contact.close(weights), weights)


def test_a_closing_eye_comes_shut_without_a_leap() -> None:
    """Between what is closed and what is left there is everything: the lids never open while the key goes up."""
    contact, lips, channels = make()
    steps = np.linspace(0.7, 1.0, 61)
    weights = np.concatenate([raise_keys(channels, {"eyeBlinkLeft": float(v), "eyeBlinkRight": 0.0}) for v in steps])
    left = contact.measure_open_mm(contact.close(weights))[:, ~lips]
    moving = np.ptp(contact.measure_open_mm(weights)[:, ~lips], axis=0) > 0.5
    mean = np.maximum(left[:, moving], 0).mean(1)
    assert (np.diff(mean) < 0.02).all() and mean[0] > LIDS_MM[1] and mean[-1] <= _EXACT_MM
    # At most three times as fast as the key alone.
    alone = np.maximum(contact.measure_open_mm(weights)[:, ~lips][:, moving], 0).mean(1)
    assert np.abs(np.diff(mean)).max() < 3.5 * np.abs(np.diff(alone)).max()
    assert LIPS_MM[0] < LIPS_MM[1]
