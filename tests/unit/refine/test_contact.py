"""Lips that the footage shows touching: what says so, the derivative, and that a slit closes while an open mouth does
not."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from facecap_addon.landmarks.observations import Observations  # noqa: E402
from facecap_addon.refine.energies.contact import (  # noqa: E402
    Contact,
    contact_energy,
    contact_equations,
    contact_of,
    open_mm,
)
from facecap_addon.refine.flow.surface_points import SurfacePoints, ViewedPoints  # noqa: E402
from facecap_addon.refine.state import DeepState  # noqa: E402
from tests.unit import deep_scene  # noqa: E402
from tests.unit.deep_scene import render_mesh  # noqa: E402

LIPS = slice(0, 9)


def _with(**weights: float) -> DeepState:
    head = render_mesh()
    state = DeepState(np.eye(3)[None], np.array([[0.0, 0.0, 0.6]]), np.zeros((1, len(head.channels))), np.zeros((1, 6)))
    state.rotation[0] = deep_scene.frames(2).rotation[0]
    for name, weight in weights.items():
        state.weights[0, head.channels.index(name)] = weight
    return state


def _contact(state: DeepState) -> Contact:
    """What the landmarks of this frame say, as they lie on the surface."""
    head = render_mesh()
    landmarks = SurfacePoints(head.landmark_vertices, head.landmark_shares)
    places, _ = ViewedPoints(head, landmarks, deep_scene.view()).project(state)
    count = places.shape[1]
    seen = Observations(
        np.zeros(1),
        np.zeros(1, np.int64),
        places.astype(np.float32),
        np.zeros((1, count), np.float32),
        np.ones(1, np.float32),
        np.ones((1, count), np.float32),
        "mediapipe-478",
        deep_scene.SIZE,
        "truth",
    )
    return contact_of(head, seen, np.array([0]))


def test_closed_lips_are_asked_to_touch_and_open_ones_are_not(models: object) -> None:
    closed, opened = _contact(_with()), _contact(_with(jawOpen=0.6))
    # Landmarks of a pair lie up to a millimetre apart on the mesh, so that some pairs count for less than others.
    assert closed.weight[0, LIPS].min() > 0.5 * closed.weight.max()
    assert opened.weight[0, 4] < 0.01 * closed.weight[0, 4]  # the middle of the mouth
    assert open_mm(render_mesh(), closed, _with())[0, LIPS].max() < 0.1
    assert contact_energy(render_mesh(), opened, _with(jawOpen=0.6))[0] < 0.5


def test_the_gradient_is_that_of_the_energy(models: object) -> None:
    head, contact = render_mesh(), _contact(_with())
    at = _with(jawOpen=0.03, mouthRollLower=0.2)
    _, gradient = contact_equations(head, contact, at)
    step = 1e-3
    for channel in ("jawOpen", "mouthClose", "mouthUpperUpLeft", "mouthRollLower"):
        k = head.channels.index(channel)
        ahead, behind = at.part(slice(None)), at.part(slice(None))
        ahead.weights[0, k] += step
        behind.weights[0, k] -= step
        slope = (contact_energy(head, contact, ahead) - contact_energy(head, contact, behind))[0] / (2 * step)
        assert abs(slope) > 1e-3
        np.testing.assert_allclose(gradient[0, 6 + k], slope, rtol=0.02)
    assert not gradient[0, :6].any()


def test_a_slit_closes_and_an_open_mouth_keeps_its_width(models: object) -> None:
    head, contact = render_mesh(), _contact(_with())
    hold = 100 * np.eye(len(head.channels))  # about as firmly as the picture does

    def settled(start: DeepState) -> DeepState:
        state, held = start.part(slice(None)), start.weights[0].copy()
        for _ in range(15):
            matrix, gradient = contact_equations(head, contact, state)
            inner = matrix[0, 6 : 6 + len(held), 6 : 6 + len(held)] + hold
            pull = gradient[0, 6 : 6 + len(held)] + hold @ (state.weights[0] - held)
            state.weights[0] -= np.linalg.solve(inner, pull)
        return state

    def widest(state: DeepState) -> float:
        return float(open_mm(head, contact, state)[0, LIPS].max())

    slit, wide = _with(jawOpen=0.03), _with(jawOpen=0.4)
    assert widest(slit) > 0.5
    assert widest(settled(slit)) < 0.25
    assert widest(settled(wide)) > 0.95 * widest(wide)
