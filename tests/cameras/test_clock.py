from __future__ import annotations

import itertools
import random

import pytest

from pipeline.cameras.clock import CaptureClock, FileClock, Stamp, ntp_to_unix_s

START_S = 1_800_000_000.0
B_FRAMES = (0, 3, 1, 2)


def run(
    clock: CaptureClock,
    frames: int,
    delay_s: float = 0.1,
    jitter_s: float = 0.0,
    ntp_from: int | None = None,
    ahead_s: float = 0.0,
    drift: float = 0.0,
    fps: float = 25,
) -> list[tuple[float, float, Stamp]]:
    """(true capture time, PTS, stamp) of a camera whose packets are late by delay and random jitter."""
    noise = random.Random(7)
    seen = []
    for number in range(frames):
        captured_s = START_S + number / fps
        pts_s = 50 + number / fps * (1 + drift)
        arrival_s = (
            captured_s + delay_s + noise.expovariate(1 / jitter_s) if jitter_s else captured_s + delay_s
        )
        ntp_s = captured_s + ahead_s if ntp_from is not None and number >= ntp_from else None
        seen.append((captured_s, pts_s, clock.observe(pts_s, arrival_s, ntp_s)))
    return seen


def goes_on(clock: CaptureClock, first: int, count: int, ahead_s: float = 0.0) -> list[Stamp]:
    """The stamps of further frames of such a camera, without jitter."""
    return [
        clock.observe(50 + n / 25, START_S + n / 25 + 0.1, START_S + n / 25 + ahead_s)
        for n in range(first, first + count)
    ]


def never_back(seen: list[tuple[float, float, Stamp]]) -> bool:
    """Within every stretch without a reported step, later PTS have later times."""
    ordered = sorted(seen, key=lambda item: item[1])
    pairs = itertools.pairwise(ordered)
    return all(b[2].time_s > a[2].time_s or b[2].stepped for a, b in pairs if b[1] > a[1])


def test_by_arrival_jitter_is_gone_and_the_uncertainty_covers_the_delay() -> None:
    seen = run(CaptureClock(5, 300), 1000, delay_s=0.12, jitter_s=0.05)
    late = [stamp.time_s - captured_s for captured_s, _, stamp in seen[250:]]
    assert min(late) > 0.119
    assert max(late) - min(late) < 0.02, "jitter of 50 ms must not show"
    assert all(stamp.source == "arrival" and stamp.offset_ms == 0 for _, _, stamp in seen)
    assert all(
        abs(stamp.time_s - captured_s) * 1e3 <= stamp.uncertainty_ms for captured_s, _, stamp in seen[250:]
    )
    assert never_back(seen)


def test_by_arrival_a_drifting_camera_does_not_drift_away() -> None:
    seen = run(CaptureClock(5, 300), 25 * 600, jitter_s=0.01, drift=2e-4)
    captured_s, _, stamp = seen[-1]
    assert abs(stamp.time_s - captured_s - 0.1) < 0.01, "120 ms of drift over ten minutes must be followed"
    assert never_back(seen)


def test_sender_reports_take_over_and_say_the_offset() -> None:
    seen = run(CaptureClock(5, 300), 500, delay_s=0.15, jitter_s=0.03, ntp_from=50, ahead_s=0.02)
    assert [stamp.source for _, _, stamp in seen[:50]] == ["arrival"] * 50
    for captured_s, _, stamp in seen[200:]:
        assert stamp.source == "rtcp"
        assert stamp.time_s == pytest.approx(captured_s + 0.02, abs=1e-3)
        assert stamp.offset_ms == pytest.approx(-130, abs=5), "clock difference less the least delay"
        assert abs(stamp.time_s - captured_s) * 1e3 < stamp.uncertainty_ms < 140
    assert never_back(seen)


def test_small_change_of_the_cameras_clock_is_slewed_and_a_large_one_is_a_reported_step() -> None:
    clock = CaptureClock(60, 300)
    run(clock, 200, ntp_from=0)
    slewed = goes_on(clock, 200, 200, -0.3)
    gaps = [b.time_s - a.time_s for a, b in itertools.pairwise(slewed)]
    assert not any(stamp.stepped for stamp in slewed)
    assert min(gaps) > 0.03, "time slows down by a tenth"
    assert slewed[0].uncertainty_ms > 290, "what is not slewed in yet is uncertain"
    assert slewed[-1].time_s == pytest.approx(START_S + 399 / 25 - 0.3, abs=1e-3)
    stepped = goes_on(clock, 400, 10, -20)
    assert [stamp.stepped for stamp in stepped] == [True] + [False] * 9
    assert stepped[0].time_s == pytest.approx(START_S + 400 / 25 - 20, abs=1e-3)


def test_camera_whose_clock_is_far_off_is_timed_by_arrival_and_trusted_again_later() -> None:
    clock = CaptureClock(5, 300)
    seen = run(clock, 100, ntp_from=0, ahead_s=61)
    assert all(stamp.source == "arrival" for _, _, stamp in seen)
    assert "60.9 s ahead of" in clock.complaint
    assert "NTP" in clock.complaint
    assert goes_on(clock, 100, 1, ahead_s=0.01)[0].source == "rtcp", "set right, it is trusted at once"
    assert clock.complaint == ""
    assert goes_on(clock, 101, 1750, ahead_s=0.01)[-1].source == "rtcp"


@pytest.mark.parametrize("ahead_s", [-3600.0, 3600.0])
def test_camera_whose_clock_is_set_far_off_is_timed_by_arrival_from_the_first_frame_on(
    ahead_s: float,
) -> None:
    clock = CaptureClock(5, 300)
    run(clock, 3000, ntp_from=0)
    stamps = goes_on(clock, 3000, 250, ahead_s)
    assert {stamp.source for stamp in stamps} == {"arrival"}
    assert all(abs(s.time_s - START_S - n / 25) < 0.11 for n, s in enumerate(stamps, 3000))
    assert ("ahead of" if ahead_s > 0 else "behind") in clock.complaint


def test_camera_whose_clock_is_set_back_within_the_limit_says_the_offset_at_once() -> None:
    clock = CaptureClock(5, 300)
    run(clock, 3000, ntp_from=0)
    stamps = goes_on(clock, 3000, 250, ahead_s=-4)
    assert [stamp.stepped for stamp in stamps] == [True] + [False] * 249
    assert all(stamp.offset_ms == pytest.approx(-4100) for stamp in stamps)
    assert all(stamp.uncertainty_ms >= 4000 for stamp in stamps)


@pytest.mark.parametrize("ahead_s", [-3600.0, 3600.0])
def test_one_wrong_report_costs_nothing_but_its_own_validity(ahead_s: float) -> None:
    clock = CaptureClock(5, 300)
    seen = [stamp for _, _, stamp in run(clock, 3000, ntp_from=0)]
    seen += goes_on(clock, 3000, 125, ahead_s)
    assert seen[-1].source == "arrival"
    seen += goes_on(clock, 3125, 125)
    assert {stamp.source for stamp in seen[3125:]} == {"rtcp"}
    assert clock.complaint == ""
    assert not any(stamp.stepped for stamp in seen)


def test_late_packets_do_not_make_the_cameras_clock_look_wrong() -> None:
    clock = CaptureClock(5, 300)
    run(clock, 3000, ntp_from=0)
    for n in range(3000, 3250):
        captured_s = START_S + n / 25
        stamp = clock.observe(50 + n / 25, captured_s + 8, captured_s)
        assert (stamp.source, stamp.offset_ms) == ("rtcp", pytest.approx(-100))
    assert clock.complaint == ""


def test_reports_that_stop_are_forgotten_after_a_minute() -> None:
    clock = CaptureClock(5, 300)
    run(clock, 100, ntp_from=0)
    last = [clock.observe(50 + n / 25, START_S + n / 25 + 0.1, None) for n in range(100, 100 + 25 * 62)]
    assert last[0].source == "rtcp"
    assert last[-1].source == "arrival"


def test_b_frames_are_in_order_of_showing_while_time_is_slewed() -> None:
    clock = CaptureClock(5, 300)
    seen = []
    for group in range(200):
        for place in B_FRAMES:
            number = group * 4 + place
            arrival_s = START_S + (group * 4 + 3) / 25 + 0.1
            ntp_s = START_S + number / 25 - 0.3 if group > 40 else None
            pts_s = 50 + number / 25
            seen.append((0.0, pts_s, clock.observe(pts_s, arrival_s, ntp_s)))
    assert never_back(seen[200:])


def test_repeated_and_backward_time_stamps_survive() -> None:
    clock = CaptureClock(5, 300)
    pts = [0.0, 0.0, 0.0, 0.04, 0.04, 0.04, 0.02, 0.08, 0.08]
    times = [clock.observe(value, START_S + n / 25, None).time_s for n, value in enumerate(pts)]
    by_pts = dict(zip(pts, times, strict=True))
    assert by_pts[0.0] <= by_pts[0.04] < by_pts[0.08]


@pytest.mark.parametrize("back_s", [3.0, 40.0, 3600.0])
@pytest.mark.parametrize("reports", [False, True])
def test_time_stamps_that_jump_back_are_one_reported_step(back_s: float, reports: bool) -> None:
    """Until its next report, five seconds later, GStreamer maps them by the last one: `back_s` wrong."""
    clock = CaptureClock(2, 300)
    run(clock, 300, ntp_from=0 if reports else None)
    stamps = []
    for n in range(300, 600):
        captured_s = START_S + n / 25
        ntp_s = captured_s - (back_s if n < 425 else 0)
        stamps.append(clock.observe(50 + n / 25 - back_s, captured_s + 0.1, ntp_s if reports else None))
    assert [stamp.stepped for stamp in stamps] == [True] + [False] * 299
    assert all(abs(s.time_s - START_S - n / 25) < 0.11 for n, s in enumerate(stamps, 300))
    assert (stamps[-1].source, clock.complaint) == ("rtcp" if reports else "arrival", "")
    assert max(stamp.uncertainty_ms for stamp in stamps) < 450


def scaled(clock: CaptureClock, rate: float, count: int, reports: bool) -> list[Stamp]:
    """A camera whose PTS run at `rate` of real time, with a report each five seconds."""
    stamps = []
    for n in range(count):
        captured_s, pts_s = START_S + n / 25, 50 + n / 25 * rate
        ntp_s = START_S + n // 125 * 5 + n % 125 / 25 * rate if reports else None
        stamps.append(clock.observe(pts_s, captured_s + 0.1 + n % 7 / 100, ntp_s))
    return stamps


@pytest.mark.parametrize("reports", [False, True])
@pytest.mark.parametrize(("rate", "said"), [(1.25, "25% fast"), (0.8, "20% slow"), (0.6, "40% slow")])
def test_time_stamps_at_a_wrong_rate_are_complained_of_until_they_are_right(
    rate: float, said: str, reports: bool
) -> None:
    clock = CaptureClock(5, 300)
    stamps = scaled(clock, rate, 1500, reports)
    assert sum(stamp.stepped for stamp in stamps) > 8
    first, percent, side = clock.complaint, int(said[:2]), said[4:]
    assert side in first
    told = int(first.split("%")[0].split()[-1])
    assert abs(told - percent) <= 4
    assert "frame rate" in first
    shift = 1500 / 25 * (rate - 1)
    for n in range(1500, 4000):
        captured_s = START_S + n / 25
        clock.observe(50 + n / 25 + shift, captured_s + 0.1, captured_s if reports else None)
    assert clock.complaint == ""


def test_a_wrong_clock_does_not_hide_a_wrong_rate() -> None:
    clock = CaptureClock(5, 300)
    for n in range(750):
        clock.observe(50 + n / 25 * 1.25, START_S + n / 25 + 0.1, 0.0)
    assert "behind" in clock.complaint
    assert "25% fast" in clock.complaint


def test_the_complaint_of_a_wrong_rate_is_made_once() -> None:
    clock = CaptureClock(5, 300)
    said = []
    for n in range(25 * 300):
        clock.observe(50 + n / 25 * 1.25, START_S + n / 25 + 0.1 + n % 7 / 100, None)
        if clock.complaint and clock.complaint not in said[-1:]:
            said.append(clock.complaint)
    assert len(said) == 1


@pytest.mark.parametrize("rate", [0.93, 0.999, 1.001, 1.07])
@pytest.mark.parametrize("reports", [False, True])
def test_time_stamps_nearly_right_are_slewed_without_a_complaint(rate: float, reports: bool) -> None:
    clock = CaptureClock(5, 300)
    for n in range(25 * 300):
        clock.observe(50 + n / 25 * rate, START_S + n / 25 + 0.1, START_S + n / 25 if reports else None)
        assert clock.complaint == ""


def test_a_start_over_a_jittery_network_is_no_unrest() -> None:
    clock = CaptureClock(5, 300)
    noise = random.Random(3)
    stamps = []
    for n in range(25 * 90):
        stamps.append(clock.observe(50 + n / 25, START_S + n / 25 + 0.1 + noise.expovariate(4), None))
        assert clock.complaint == ""
    assert any(stamp.stepped for stamp in stamps), "the first estimates step"


def test_one_step_is_no_unrest_and_a_clock_put_to_and_fro_is() -> None:
    clock = CaptureClock(60, 300)
    run(clock, 200, ntp_from=0)
    goes_on(clock, 200, 250, 3)
    assert clock.complaint == ""
    goes_on(clock, 450, 250)
    goes_on(clock, 700, 250, 3)
    assert "unsteady" in clock.complaint
    assert "frame rate" not in clock.complaint
    goes_on(clock, 950, 1600, 3)
    assert clock.complaint == ""


def test_an_encoder_that_counts_anew_again_and_again_is_complained_of() -> None:
    clock = CaptureClock(5, 300)
    for n in range(1000):
        clock.observe(50 + n % 250 / 25, START_S + n / 25 + 0.1, None)
        assert bool(clock.complaint) == (n >= 750)
    assert "unsteady" in clock.complaint


def test_host_clock_set_back_is_a_reported_step() -> None:
    clock = CaptureClock(5, 300)
    run(clock, 300)
    stamp = clock.observe(50 + 300 / 25, START_S + 300 / 25 - 3600, None)
    assert stamp.stepped
    assert stamp.time_s == pytest.approx(START_S + 300 / 25 - 3600, abs=0.1)


def test_ntp_time_is_read_in_the_era_nearest_to_now() -> None:
    assert ntp_to_unix_s((2_208_988_800 + 1_800_000_000) * 10**9, 1_800_000_001.0) == 1_800_000_000
    after_rollover_s = 2_085_978_496 + 5.0  # 2036-02-07, where NTP's 32-bit seconds begin again
    assert ntp_to_unix_s(5 * 10**9, after_rollover_s) == after_rollover_s


def test_file_time_begins_where_it_is_laid_and_goes_on_over_loops() -> None:
    clock = FileClock(START_S)
    times = [clock.observe(7 + n / 10, 0, None).time_s for n in range(20)]
    clock.rewind()
    times += [clock.observe(7 + n / 10, 0, None).time_s for n in range(20)]
    assert times[0] == START_S
    gaps = [b - a for a, b in itertools.pairwise(times)]
    assert gaps == pytest.approx([0.1] * 39, abs=1e-6)
