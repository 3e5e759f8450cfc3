from __future__ import annotations

import itertools

import pytest

from pipeline.cameras.rate import RateLimiter


@pytest.mark.parametrize(("source_hz", "rate_hz"), [(25, 6), (30, 6), (25, 10), (12.5, 5), (60, 59)])
def test_the_average_rate_is_kept_and_gaps_stay_even(source_hz: float, rate_hz: float) -> None:
    limiter = RateLimiter(rate_hz)
    passed = [n / source_hz for n in range(int(source_hz * 60)) if limiter.passes(n / source_hz)]
    assert len(passed) / 60 == pytest.approx(rate_hz, rel=0.02)
    gaps = [b - a for a, b in itertools.pairwise(passed[2:])]
    assert max(gaps) - min(gaps) <= 1 / source_hz + 1e-9


def test_uneven_gaps_of_a_slow_camera_lose_next_to_nothing() -> None:
    """6.02 frames a second in gaps of 0.16 to 0.24 s, as a real recorder sends them, against a limit of 6."""
    limiter = RateLimiter(6)
    times, now = [], 0.0
    for n in range(600):
        times.append(now)
        now += (0.16, 0.16, 0.16, 0.1846)[n % 4]
    assert sum(map(limiter.passes, times)) >= 594


def test_repeated_and_older_time_stamps_are_held_back() -> None:
    limiter = RateLimiter(60)
    assert [limiter.passes(t) for t in (0.0, 0.0, 0.04, 0.04, 0.02, 0.08)] == [
        True,
        False,
        True,
        False,
        False,
        True,
    ]


def test_after_a_pause_there_is_no_burst() -> None:
    limiter = RateLimiter(5)
    assert limiter.passes(0)
    assert sum(limiter.passes(100 + n / 50) for n in range(10)) <= 2


def test_frames_of_a_camera_that_counts_anew_go_on() -> None:
    limiter = RateLimiter(6)
    for n in range(250):
        limiter.passes(50 + n / 25)
    passed = [n for n in range(250) if limiter.passes(20 + n / 25)]
    assert len(passed) == pytest.approx(60, abs=1)
    assert passed[0] <= 5


def test_one_time_stamp_far_ahead_blinds_no_one() -> None:
    limiter = RateLimiter(5)
    for n in range(250):
        limiter.passes(n / 25)
    limiter.passes(3600.0)
    assert sum(limiter.passes(10 + n / 25) for n in range(250)) == pytest.approx(50, abs=2)
