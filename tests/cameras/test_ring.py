from __future__ import annotations

import pytest

from pipeline.cameras.clock import CaptureClock
from pipeline.cameras.ring import AccessUnit, Ring, RingError


def unit(
    number: int, key: bool = False, size: int = 100, caps: str = "a", at: float = 0.0, connection: int = 0
) -> AccessUnit:
    return AccessUnit(bytes(size), at or number / 25, key, caps, connection)


def filled(frames: int = 500, gop: int = 25, seconds: float = 10, max_bytes: int = 10**9) -> Ring:
    ring = Ring(seconds, max_bytes)
    for number in range(frames):
        ring.append(unit(number, key=number % gop == 0))
    return ring


def moments(units: list[AccessUnit]) -> list[int]:
    return [round(each.captured_at_s * 25) for each in units]


def test_it_holds_the_asked_seconds_and_at_most_one_group_more() -> None:
    first, last = filled().span_s or (0, 0)
    assert last == pytest.approx(499 / 25)
    assert 10 <= last - first <= 11


def test_bytes_are_a_hard_bound_and_it_starts_on_a_key_frame() -> None:
    ring = Ring(1000, 5000)
    for number in range(500):
        ring.append(unit(number, key=number % 25 == 0))
        assert ring.size_bytes <= 5000
        span = ring.span_s
        assert span is None or round(span[0] * 25) % 25 == 0
    assert ring.size_bytes >= 2500


def test_a_group_larger_than_the_ring_is_dropped_and_the_next_one_kept() -> None:
    ring = Ring(10, 1000)
    for number in range(30):
        ring.append(unit(number, key=number == 0 or number == 25))
    assert ring.span_s == (1.0, pytest.approx(29 / 25))
    assert ring.size_bytes == 500


def test_before_the_first_key_frame_nothing_is_kept() -> None:
    ring = Ring(10, 1000)
    ring.append(unit(1))
    assert ring.span_s is None
    with pytest.raises(RingError, match="no key frame"):
        ring.nearest(0)


def test_nearest_gives_the_way_from_the_key_frame_to_the_picture() -> None:
    assert moments(filled().nearest(18.03)) == list(range(450, 452))
    assert moments(filled().nearest(17.97)) == list(range(425, 450))
    assert moments(filled().nearest(17.99)) == [450]


def test_a_picture_far_from_the_moment_is_not_offered() -> None:
    with pytest.raises(RingError, match=r"holds 9\.00 to 19\.96, not 30\.00"):
        filled().nearest(30)


def test_between_starts_on_the_key_frame_before_and_ends_on_time() -> None:
    assert moments(filled().between(12.5, 14.2)) == list(range(300, 356))


def test_between_gives_what_there_is() -> None:
    assert moments(filled().between(2, 10)) == list(range(225, 251))
    assert moments(filled().between(19, 40)) == list(range(475, 500))
    with pytest.raises(RingError):
        filled().between(1, 2)
    with pytest.raises(RingError):
        filled().between(30, 40)


def test_b_frames_end_on_a_whole_moment_and_the_ring_knows_what_is_complete() -> None:
    ring = Ring(10, 10**9)
    order = [0, *(4 * group + place for group in range(20) for place in (4, 2, 1, 3))]
    complete = []
    for number in order:
        ring.append(unit(number, key=number % 16 == 0))
        complete.append(round((ring.span_s or (0, 0))[1] * 25))
    arrived: set[int] = set()
    for step, number in enumerate(order):
        arrived.add(number)
        if step > 8:
            assert set(range(complete[step] + 1)) <= arrived, "a moment was called complete too early"
    assert complete[-1] >= 76
    cut = moments(ring.between(1.0, 1.64))
    assert sorted(cut) == list(range(min(cut), max(cut) + 1)), "no picture missing inside"
    assert 16 in cut
    assert 41 in cut


def test_leading_pictures_of_an_open_group() -> None:
    """Pictures 14 and 15 come after key frame 16, are shown before it, and lean on the group before."""
    ring = Ring(10, 10**9)
    for number, key in [(0, True), *((n, False) for n in range(1, 14)), (16, True), (14, False), (15, False)]:
        ring.append(unit(number, key=key))
    assert moments(ring.nearest(15 / 25)) == [*range(14), 16, 14, 15]
    assert moments(ring.between(16 / 25, 20 / 25)) == [16], "a clip that starts there cannot show them"


def test_a_change_of_size_is_never_inside_a_clip() -> None:
    ring = Ring(100, 10**9)
    for number in range(200):
        ring.append(unit(number, key=number % 25 == 0, caps="a" if number < 75 else "b"))
    assert {each.caps for each in ring.between(1, 6)} == {"b"}
    assert {each.caps for each in ring.between(1, 3.5)} == {"a"}


def set_back(by: int = 75, frames: int = 250) -> Ring:
    """Ten seconds, then time is set back by three, and ten seconds more; those are of 7 bytes."""
    ring = filled(frames, seconds=100)
    for number in range(frames - by, 2 * frames - by):
        ring.append(unit(number, key=number % 25 == 0, connection=1, size=7))
    return ring


def test_where_time_was_set_back_no_picture_is_taken_for_another() -> None:
    ring = set_back()
    for twice_s in (7.0, 8.5, 9.96):
        with pytest.raises(RingError, match=rf"{twice_s:.2f} is in the recording twice"):
            ring.nearest(twice_s)
    assert len(ring.nearest(6.97)[-1].data) == 100
    assert len(ring.nearest(10.0)[-1].data) == 7
    assert ring.span_s == (0.0, pytest.approx(424 / 25))


def test_the_other_moments_of_an_act_tell_which_pass_is_meant() -> None:
    ring = set_back()
    for act_s, size in (((6.5, 7.5, 8.5), 100), ((8.5, 9.5, 10.5), 7)):
        pictures = [ring.nearest(time_s, act_s)[-1] for time_s in act_s]
        assert [each.captured_at_s for each in pictures] == pytest.approx(act_s, abs=0.021)
        assert {len(each.data) for each in pictures} == {size}
    # All of it came twice; no pass holds all of it; the rest has left the ring.
    for act_s in ((7.5, 8.5, 9.5), (6.5, 8.5, 10.5), (-20.0, 8.5, 9.5)):
        with pytest.raises(RingError, match=r"8\.50 is in the recording twice: time stepped back"):
            ring.nearest(8.5, act_s)


@pytest.mark.parametrize("delay_s", [0.15, 0.3, 0.5])
def test_an_act_around_the_first_report_of_a_camera_has_its_own_pictures(delay_s: float) -> None:
    """Timed by arrival at first, then by the camera: time steps back by the delay."""
    clock, ring = CaptureClock(5.0, 300.0), Ring(100, 10**9)
    seen: list[float] = []
    connection = 0
    for number in range(250):
        true_s = 1e6 + number / 25
        stamp = clock.observe(number / 25, true_s + delay_s, true_s if number >= 70 else None)
        connection += stamp.stepped
        seen.append(stamp.time_s)
        ring.append(unit(number, number % 50 == 0, number, at=stamp.time_s, connection=connection))
    assert connection == 1
    for first in (*range(21), *range(70, 201)):
        act = [first, first + 30, first + 49]
        act_s = [seen[number] for number in act]
        assert [len(ring.nearest(time_s, act_s)[-1].data) for time_s in act_s] == act


def test_a_clip_over_time_that_was_set_back_holds_both_passes() -> None:
    """The act may have been seen in either."""
    for ring, end_s in ((set_back(), 12.0), (set_back(by=200), 10.5)):
        clip = ring.between(8.0, end_s)
        assert clip[0].captured_at_s == 8.0
        assert moments([each for each in clip if each.connection == 0]) == list(range(200, 250))
        assert clip[-1].connection == 1
        assert moments(clip[-1:]) == [round(end_s * 25)]


def test_a_reconnection_leaves_every_moment_single() -> None:
    ring = Ring(100, 10**9)
    for number in range(50):
        ring.append(unit(number, key=number % 25 == 0))
    for number in range(55, 105):
        ring.append(unit(number, key=number % 25 == 5, connection=1))
    for asked in (48, 49, 51, 54, 56):
        assert abs(moments(ring.nearest(asked / 25))[-1] - asked) <= 2


def test_time_set_back_inside_a_group_loses_no_picture() -> None:
    """The camera's first report corrects the clock: what comes after it is no leading picture."""
    ring = Ring(100, 10**9)
    times = [n / 25 for n in range(7)] + [n / 25 - 0.3 for n in range(7, 25)]
    for number, at in enumerate(times):
        ring.append(unit(number, key=number == 0, size=number, at=1 + at, connection=int(number >= 7)))
    assert [len(each.data) for each in ring.between(1.1, 1.6)][:20] == list(range(20))


def test_a_picture_after_time_was_set_back_leans_on_no_group_before() -> None:
    ring = Ring(100, 10**9)
    times = [n / 25 for n in range(14)] + [n / 25 - 0.3 for n in range(14, 30)]
    for number, at in enumerate(times):
        key = number in (0, 12)
        ring.append(unit(number, key=key, size=number, at=1 + at, connection=int(number >= 14)))
    # Picture 21 is the first one later than all before.
    assert [len(each.data) for each in ring.nearest(1 + 21 / 25 - 0.3)] == list(range(12, 22))
