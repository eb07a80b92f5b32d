"""Filters: what stands still stands still, what moves keeps its height, what was closed stays closed."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import savgol_filter

from facecap_addon.errors import FacecapError
from facecap_addon.takes.filters.apply import apply_filter, make_online_filter
from facecap_addon.takes.filters.kalman import smooth
from facecap_addon.takes.filters.options import FilterChoice
from facecap_addon.takes.filters.savitzky_golay import savitzky_golay
from facecap_addon.takes.filters.take_filter import filter_take
from facecap_addon.takes.take import REGIONS, STATUS_MISSING, STATUS_SOLVED, Take


def blinks(time_s: np.ndarray, at: tuple[float, ...] = (1, 3.3, 5, 8.2)) -> np.ndarray:
    """Eight frames from open to shut to open."""
    return np.clip(sum(np.clip(1.4 - np.abs(time_s - c) / 0.1 * 1.2, 0, None) for c in at), 0, 1)


def take_of(time_s: np.ndarray, channels: tuple[str, ...], weights: np.ndarray) -> Take:
    frames = len(time_s)
    return Take(
        time_s=time_s,
        channels=channels,
        weights=weights.astype(np.float32),
        head_rotation_wxyz=np.tile(np.float32([1, 0, 0, 0]), (frames, 1)),
        head_translation_m=np.zeros((frames, 3), np.float32),
        gaze_rad=np.zeros((frames, 2, 2), np.float32),
        confidence=np.ones((frames, len(REGIONS)), np.float32),
        regions=REGIONS,
        status=np.full(frames, STATUS_SOLVED, np.int8),
        landmarks_px=np.zeros((frames, 0, 2), np.float32),
        residual_px=np.zeros(frames, np.float32),
        image_size=(640, 480),
        focal_px=600.0,
    )


@pytest.mark.parametrize("even", [True, False])
def test_half_of_a_wave_at_the_cutoff_passes_at_any_frame_rate(even: bool) -> None:
    random = np.random.default_rng(0)
    step = np.full(1200, 1 / 60) if even else random.uniform(0.5, 1.5, 1200) / 60
    time_s = np.cumsum(step)
    for cutoff in (2.0, 5.0):
        gain = {}
        for times in (0.25, 1.0, 4.0):
            wave = np.sin(2 * np.pi * cutoff * times * time_s)[:, None]
            passed = smooth(time_s, wave, cutoff)[200:-200, 0]
            gain[times] = float(passed @ wave[200:-200, 0] / (wave[200:-200, 0] @ wave[200:-200, 0]))
        assert gain[0.25] == pytest.approx(1.0, abs=0.02)
        assert gain[1.0] == pytest.approx(0.5, abs=0.06)
        assert gain[4.0] < 0.05


def test_savitzky_golay_is_the_classical_one_on_even_times_and_exact_on_polynomials() -> None:
    time_s = np.arange(50) / 25
    values = np.random.default_rng(1).normal(size=(50, 2))
    ours = savitzky_golay(time_s, values, 3, 2)
    np.testing.assert_allclose(ours, savgol_filter(values, 7, 2, axis=0, mode="interp"), atol=1e-9)
    uneven = np.cumsum(np.random.default_rng(2).uniform(0.01, 0.08, 50))
    parabola = (0.3 + 2 * uneven - 0.7 * uneven**2)[:, None]
    np.testing.assert_allclose(savitzky_golay(uneven, parabola, 4, 2), parabola, atol=1e-9)


@pytest.mark.parametrize("fps", [24, 30, 60])
def test_jitter_is_halved_and_blinks_keep_their_height(fps: int) -> None:
    random = np.random.default_rng(3)
    time_s = np.arange(20 * fps) / fps
    clean = np.stack([blinks(time_s), 0.5 + 0.3 * np.sin(2.5 * time_s), np.full_like(time_s, 0.2)], 1)
    raw = clean + random.normal(0, 0.01, clean.shape)
    found = apply_filter(FilterChoice(), time_s, raw)
    still = np.abs(np.diff(clean[:, 0])) < 1e-6

    def jitter(values: np.ndarray) -> float:
        return float(np.abs(np.diff(values - clean, axis=0))[still].mean())

    assert jitter(found) < 0.5 * jitter(raw)
    assert np.sqrt(((found - clean) ** 2).mean()) < 0.8 * 0.01
    for at in (1, 3.3, 5, 8.2):
        near = np.abs(time_s - at) < 0.08
        assert found[near, 0].max() > 0.97 * raw[near, 0].max()


def test_live_filter_is_causal_late_by_what_it_says_and_does_not_overshoot() -> None:
    random = np.random.default_rng(4)
    time_s = np.arange(600) / 30
    clean = np.stack([blinks(time_s), np.full_like(time_s, 0.2)], 1)
    raw = clean + random.normal(0, 0.02, clean.shape)
    for delay in (0, 2):
        choice = FilterChoice(delay=delay)
        assert choice.delay_ms(30) == pytest.approx(1000 * delay / 30)
        filter_ = make_online_filter(choice)
        answers = [filter_.step(float(t), row) for t, row in zip(time_s, raw, strict=True)]
        times, found = np.array([a for a, _ in answers]), np.stack([b for _, b in answers])
        np.testing.assert_allclose(times[delay:], time_s[: len(time_s) - delay])
        wanted = clean[: len(time_s) - delay]
        error = found[delay:] - wanted
        assert np.sqrt((error**2).mean()) < 0.02
        assert found[:, 0].max() < 1.1
        assert np.abs(np.diff(found[60:, 1])).mean() < 0.65 * np.abs(np.diff(raw[60:, 1])).mean()
    again = make_online_filter(FilterChoice())
    first = [again.step(float(t), row)[1] for t, row in zip(time_s[:100], raw[:100], strict=True)]
    other = make_online_filter(FilterChoice())
    changed = raw.copy()
    changed[50:] += 1
    second = [other.step(float(t), row)[1] for t, row in zip(time_s[:50], changed[:50], strict=True)]
    np.testing.assert_array_equal(np.stack(first[:50]), np.stack(second))


def test_one_euro_and_median_answer_to_the_same_call() -> None:
    random = np.random.default_rng(5)
    time_s = np.arange(300) / 30
    raw = 0.4 + random.normal(0, 0.02, (300, 1))
    raw[150] = 5.0
    for kind in ("one-euro", "median"):
        found = apply_filter(FilterChoice(kind), time_s, raw)
        live = make_online_filter(FilterChoice(kind))
        stepped = np.stack([live.step(float(t), row)[1] for t, row in zip(time_s, raw, strict=True)])
        for values in (found, stepped):
            assert np.abs(np.diff(values[20:140], axis=0)).mean() < 0.7 * np.abs(np.diff(raw[20:140], axis=0)).mean()
    assert apply_filter(FilterChoice("median"), time_s, raw).max() < 0.6
    np.testing.assert_array_equal(apply_filter(FilterChoice("none"), time_s, raw), raw)


def test_closed_lids_and_lips_stay_closed() -> None:
    time_s = np.arange(300) / 30
    channels = ("eyeBlinkLeft", "jawOpen", "mouthClose")
    closed = np.abs((time_s % 0.7) - 0.35) < 0.02  # a single frame: m, b, p
    jaw = np.where(closed, 0.0, 0.3 + 0.1 * np.sin(9 * time_s))
    lid = np.where(np.abs((time_s % 2.1) - 1) < 0.02, 1.0, 0.05)
    take = take_of(time_s, channels, np.stack([lid, jaw, np.zeros_like(jaw)], 1))
    for kind in ("hybrid", "one-euro", "median"):
        found = filter_take(take, FilterChoice(kind, cutoff_hz=2.0))
        assert (found.weights[closed, 1] < 0.011).all()
        assert (found.weights[lid > 0.9, 0] > 0.99).all()
        assert found.provenance["edits"] == [
            {"edit": "filter", "kind": kind, "cutoff_hz": 2.0, "radius": 3, "order": 2, "delay": 0}
        ]

    def gaps(weights: np.ndarray) -> np.ndarray:
        """Of a character whose lips are 5 mm apart per jawOpen of 0.1."""
        return np.stack([0.05 * weights[:, 1], 0.01 * (1 - weights[:, 0]), 0.01 * (1 - weights[:, 0])], 1)

    found = filter_take(take, FilterChoice(cutoff_hz=2.0), gaps_of=gaps)
    assert (gaps(found.weights)[closed, 0] < 0.0002).all()


def test_missing_frames_and_the_solve_stay_as_they_are() -> None:
    time_s = np.arange(90) / 30
    random = np.random.default_rng(6)
    take = take_of(time_s, ("jawOpen",), 0.3 + random.normal(0, 0.05, (90, 1)))
    take.status[30:40] = STATUS_MISSING
    take.weights[30:40] = 0
    before = take.weights.copy()
    take.head_rotation_wxyz[:] = [np.cos(1.5), 0, np.sin(1.5), 0]
    take.head_rotation_wxyz[::2] *= -1  # the same rotation
    found = filter_take(take, FilterChoice())
    np.testing.assert_array_equal(take.weights, before)
    assert (found.weights[30:40] == 0).all()
    assert np.abs(np.diff(found.weights[:30, 0])).mean() < 0.5 * np.abs(np.diff(before[:30, 0])).mean()
    same = np.abs((found.head_rotation_wxyz[:30] * take.head_rotation_wxyz[:30]).sum(1))
    np.testing.assert_allclose(same, 1, atol=1e-5)


def test_a_filter_that_cannot_be_is_refused_in_words() -> None:
    for wrong in ({"kind": "best"}, {"cutoff_hz": 0.0}, {"radius": 0}, {"radius": 1, "order": 3}):
        with pytest.raises(FacecapError):
            FilterChoice(**wrong)


@pytest.mark.parametrize("kind", ["hybrid", "one-euro", "median"])
def test_timecodes_that_repeat_do_not_break_a_filter(kind: str) -> None:
    """A recording of 60 frames a second whose timecode counts 30."""
    time_s = np.repeat(np.arange(60) / 30, 2)
    wave = 0.5 + 0.3 * np.sin(3 * time_s)[:, None] + np.random.default_rng(7).normal(0, 0.01, (120, 1))
    take = take_of(time_s, ("jawOpen",), wave)
    found = filter_take(take, FilterChoice(kind))
    assert np.isfinite(found.weights).all()
    np.testing.assert_allclose(np.linalg.norm(found.head_rotation_wxyz, axis=1), 1, atol=1e-5)
    assert np.abs(found.weights - take.weights).max() < 0.15
    live = make_online_filter(FilterChoice(kind))
    stepped = np.stack([live.step(float(t), row)[1] for t, row in zip(time_s, wave, strict=True)])
    assert np.isfinite(stepped).all()


def test_what_is_closed_at_one_end_of_a_take_leaves_the_other_end_alone() -> None:
    time_s = np.arange(60) / 30
    lid = np.full(60, 0.1) + np.random.default_rng(8).normal(0, 0.02, 60)
    lid[-1] = 1.0
    before = take_of(time_s, ("eyeBlinkLeft",), lid[:, None])
    open_to_the_end = take_of(time_s[:-1], ("eyeBlinkLeft",), lid[:-1, None])
    # A closure across frames without a face leaves what comes after them alone, too.
    for choice in (FilterChoice("median"), FilterChoice("one-euro", cutoff_hz=1.0)):
        found = filter_take(before, choice)
        np.testing.assert_allclose(found.weights[:20], filter_take(open_to_the_end, choice).weights[:20], atol=1e-6)
        assert found.weights[-1, 0] > 0.99
    gap = take_of(time_s, ("eyeBlinkLeft",), np.roll(lid, -30)[:, None])
    gap.status[30] = STATUS_MISSING
    found = filter_take(gap, FilterChoice("one-euro", cutoff_hz=1.0))
    after = take_of(time_s[31:], ("eyeBlinkLeft",), gap.weights[31:])
    np.testing.assert_allclose(
        found.weights[31:], filter_take(after, FilterChoice("one-euro", cutoff_hz=1.0)).weights, atol=1e-6
    )


@pytest.mark.parametrize("delay", [0, 2, 3])
def test_the_live_median_lets_a_blink_that_a_phone_recorded_pass(delay: int) -> None:
    recorded = [0.12, 0.15, 0.40, 0.89, 0.94, 0.79, 0.49, 0.30, 0.23, 0.20]  # at 30 frames per second
    lid = np.array([0.12] * 20 + recorded + [0.20] * 20)
    lid[8] = 1.0  # a single wild frame
    live = make_online_filter(FilterChoice("median", delay=delay))
    found = np.array([live.step(i / 30, np.array([value]))[1][0] for i, value in enumerate(lid)])
    assert found[:18].max() < 0.15
    assert found.max() > 0.85


@pytest.mark.parametrize("delay", [0, 2])
def test_the_live_median_is_is_as_late_as_it_says_and_keeps_a_blink(delay: int) -> None:
    fps = 60
    time_s = np.arange(3 * fps) / fps
    clean = blinks(time_s, (1.0,))[:, None]
    raw = clean.copy()
    raw[30] = 1.0  # a single wild frame
    choice = FilterChoice("median", delay=delay)
    live = make_online_filter(choice)
    answers = [live.step(float(t), row) for t, row in zip(time_s, raw, strict=True)]
    of_s, found = np.array([a for a, _ in answers]), np.concatenate([b for _, b in answers])
    assert found[20:45].max() < 0.01
    assert found.max() > 0.95
    # What it answers is of the time it says, and that is late by what the panel shows.
    assert np.interp(1.0, of_s[10:], found[10:]) > 0.95
    assert choice.delay_ms(fps) == pytest.approx(1000 * float(np.median(time_s - of_s)))
    assert choice.delay_ms(fps) > 0


def test_the_papers_filter_is_kalman_then_savitzky_golay_and_nothing_else() -> None:
    time_s = np.arange(120) / 30
    noise = np.random.default_rng(5).normal(scale=0.02, size=(120, 1))
    shut = blinks(time_s, at=(1.0, 2.5))[:, None]
    choice = FilterChoice("kalman-sg", cutoff_hz=4.0, radius=3, order=2)
    # The Kalman filter written out, for one curve: nearly constant velocity, u = 0 (equations 3 and 4).
    dt, q = 1 / 30, (2 * np.pi * 4.0) ** 4
    g = np.array([[1, dt], [0, 1]])
    noise_of_motion = q * np.array([[dt**3 / 3, dt**2 / 2], [dt**2 / 2, dt]])
    raw = shut + noise
    x, p = np.array([raw[0, 0], 0.0]), np.array([[1 / dt, 0.0], [0.0, 1e4 / dt]])
    followed = [x[0]]
    for z in raw[1:, 0]:
        x, p = g @ x, g @ p @ g.T + noise_of_motion
        gain = p[:, 0] / (p[0, 0] + 1 / dt)
        x, p = x + gain * (z - x[0]), p - np.outer(gain, p[0])
        followed.append(x[0])
    wanted = savgol_filter(np.array(followed), 7, 2)
    found = apply_filter(choice, time_s, raw)[:, 0]
    np.testing.assert_allclose(found[3:-3], wanted[3:-3], atol=1e-9)
    # Live, waiting for the whole window, it is the same.
    live = make_online_filter(FilterChoice("kalman-sg", 4.0, 3, 2, delay=3))
    given = [live.step(float(t), row) for t, row in zip(time_s, raw, strict=True)]
    np.testing.assert_allclose([t for t, _ in given][3:], time_s[:-3])
    np.testing.assert_allclose([v[0] for _, v in given][6:], wanted[3:-3], atol=1e-9)
    assert FilterChoice("kalman-sg", delay=2).waits == 2
    # Nothing leads shut lids back, as it does with the others.
    take, closed = take_of(time_s, ("eyeBlinkLeft",), shut), shut[:, 0] > 0.75
    plain, ours = (
        (shut - filter_take(take, FilterChoice(kind)).weights)[closed].max() for kind in ("kalman-sg", "hybrid")
    )
    assert plain > 0.1 and ours < 0.01
