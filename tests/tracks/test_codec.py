"""What a rule sees comes back from a block as it was."""

from __future__ import annotations

import dataclasses
import random
import types
from collections.abc import Iterator, Mapping
from typing import Any, get_args, get_origin, get_type_hints

import pytest

from pipeline.tracks.codec import Block, Memory, decode
from pipeline.types import (
    FrameTime,
    Head,
    LampColor,
    Observation,
    RoadUser,
    RoadUserKind,
    SignalState,
    TrackPoint,
    on_grid,
)

START_S = 1_780_000_000.123456


def box(rng: random.Random) -> tuple[float, float, float, float]:
    left, top = rng.uniform(0, 0.8), rng.uniform(0, 0.8)
    right, bottom = left + rng.uniform(0.01, 0.2), top + rng.uniform(0.01, 0.2)
    return (on_grid(left), on_grid(top), on_grid(right), on_grid(bottom))


def head(rng: random.Random) -> Head:
    return Head(box(rng), on_grid(rng.random()), on_grid(rng.random()), rng.randrange(400) / 8)


def traffic(frames: int, users: int = 6, seed: int = 0, keep: int = 20) -> Iterator[Observation]:
    """People and vehicles that come, go, are lost and found; lamps that change; a camera that reconnects."""
    rng = random.Random(seed)
    now_s, trails = START_S, {}
    for number in range(frames):
        now_s += rng.choice((0.16, 0.17, 0.2, 0.9))
        connection = number // 40
        if number % 40 == 0:
            trails = {}
        seen = []
        for track_id in range(users):
            if rng.random() < 0.3:
                continue
            # A track is confirmed with its third point; a moment that is repeated replaces the last.
            trail = trails.setdefault(track_id, [])
            if trail and rng.random() < 0.1:
                last = trail.pop()
                trail.append(dataclasses.replace(last, box=box(rng)))
            else:
                trail.append(TrackPoint(now_s, box(rng), on_grid(rng.random())))
            if len(trail) >= 3:
                kind = rng.choice(list(RoadUserKind))
                riders = tuple(box(rng) for _ in range(rng.choice((0, 0, 1, 3))))
                heads = tuple(head(rng) for _ in range(rng.choice((0, 0, 1, 2))))
                confidence = on_grid(rng.random())
                seen.append(
                    RoadUser(track_id * 999_983, kind, tuple(trail[-keep:]), confidence, riders, heads)
                )
        rng.shuffle(seen)
        signals = {
            name: SignalState(name, rng.choice(list(LampColor)), now_s - rng.random(), on_grid(rng.random()))
            for name in ("đèn thẳng", "arrow")
            if rng.random() < 0.9
        }
        time = FrameTime(now_s, rng.choice(("rtcp", "arrival")), rng.gauss(0, 30), rng.random())
        yield Observation("cam", time, tuple(seen), signals, (1920, 1080 + connection), connection)


def stored(observations: list[Observation], size: int = 25) -> list[bytes]:
    memory, blocks = Memory(), []
    for start in range(0, len(observations), size):
        block = Block(memory)
        for observation in observations[start : start + size]:
            block.add(observation)
        blocks.append(block.encode())
    return blocks


def read(blocks: list[bytes]) -> list[Observation]:
    memory = Memory()
    return [observation for block in blocks for observation in decode(block, "cam", memory)]


@pytest.mark.parametrize("size", [1, 7, 500])
def test_observations_come_back_exactly(size: int) -> None:
    observations = list(traffic(130))
    assert any(user.riders for o in observations for user in o.road_users)
    assert any(user.heads for o in observations for user in o.road_users)
    assert read(stored(observations, size)) == observations


def filled(kind: Any) -> Any:
    """A value of a type, unlike every default: dataclasses with all their fields."""
    origin, arguments = get_origin(kind), get_args(kind)
    if dataclasses.is_dataclass(kind):
        hints = get_type_hints(kind)
        made = {field.name: filled(hints[field.name]) for field in dataclasses.fields(kind)}
        return kind(**made)
    if origin is tuple:
        return (filled(arguments[0]),) if arguments[-1] is ... else tuple(filled(a) for a in arguments)
    if origin in (dict, Mapping):
        value = filled(arguments[1])
        return {value.lamp_id: value}
    if origin is types.UnionType:
        return filled(arguments[0])
    plain = {float: 0.25, int: 3, str: "cam", bool: True, RoadUserKind: RoadUserKind.BUS}
    return plain[kind] if kind in plain else LampColor.GREEN if kind is LampColor else arguments[1]


def test_whatever_an_observation_will_hold_one_day_is_stored() -> None:
    """A field that is added to what rules see, and forgotten here, would make back-tests lie."""
    observation = filled(Observation)
    assert observation.road_users[0].riders
    assert observation.signals
    assert read(stored([observation])) == [observation]


def test_reading_may_begin_in_the_middle() -> None:
    observations = list(traffic(40, seed=3))
    blocks = stored(observations, 10)
    late = read(blocks[2:])
    for before, after in zip(observations[20:], late, strict=True):
        assert before.signals == after.signals
        for user in after.road_users:
            whole = next(other for other in before.road_users if other.track_id == user.track_id)
            assert whole.trajectory[-len(user.trajectory) :] == user.trajectory
    assert sum(len(o.road_users) for o in late) >= 0.9 * sum(len(o.road_users) for o in observations[20:])


def test_nobody_and_nothing_can_be_stored() -> None:
    empty = Observation("cam", FrameTime(START_S, "file"), (), {})
    assert read(stored([empty, dataclasses.replace(empty, connection=1)])) == [
        empty,
        dataclasses.replace(empty, connection=1),
    ]


def test_a_damaged_block_is_refused_and_never_crashes() -> None:
    (block,) = stored(list(traffic(30)), 30)
    rng = random.Random(1)
    refused = 0
    for _ in range(300):
        damaged = bytearray(block[: rng.choice((len(block), rng.randrange(len(block))))])
        for _ in range(rng.randrange(1, 4)):
            if damaged:
                damaged[rng.randrange(len(damaged))] ^= 1 << rng.randrange(8)
        try:
            read([bytes(damaged)])
        except ValueError:
            refused += 1
    assert refused > 250
