"""Security rules on the city's square, from imperfect boxes of the truth: each incident once, no other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from pipeline.sim.scenario import scenario
from pipeline.sim.types import Act
from pipeline.types import Hit
from tests.rules.city import START_S, Watched, judge, watch

EARLY_S, LATE_S = 3.0, 4.0


def incidents(acts: Sequence[Act], kind: str) -> list[list[Act]]:
    """Who steps out of a zone and in again within half a minute is one incident."""
    out: list[list[Act]] = []
    for act in (act for act in acts if act.kind.value == kind):
        same = [one for one in out if one[-1].actor_id == act.actor_id and act.start_s - one[-1].end_s < 30.0]
        if same:
            same[0].append(act)
        else:
            out.append([act])
    return out


def matches(hit: Hit, incident: Sequence[Act], watched: Watched) -> bool:
    at_s = hit.at.time_s - START_S
    in_time = incident[0].start_s - EARLY_S <= at_s <= incident[-1].end_s + LATE_S
    # Who made a crowd complete depends on the boxes; when and where does not.
    return in_time and (hit.rule == "crowd" or watched.actor_of[hit.track_id] == incident[0].actor_id)


@pytest.mark.slow
def test_the_square_seen_from_the_gate() -> None:
    true, found, false = 0, 0, 0
    for seed in (0, 1):
        city, (watched,) = watch(replace(scenario("security", "dev", seed, 180.0), cameras=("yard-gate",)))
        hits = judge(watched)
        for kind in ("intrusion", "loitering", "crowd"):
            left = [hit for hit in hits if hit.rule == kind]
            for incident in incidents(city.acts, kind):
                true += 1
                mine = [hit for hit in left if matches(hit, incident, watched)]
                found += bool(mine)
                left = [hit for hit in left if hit not in mine[:1]]
            false += len(left)
            assert not left, (seed, kind, [dict(hit.facts) for hit in left])
        assert not [hit for hit in hits if hit.rule == "abandoned_object"], "bags are not seen"
    print(f"\n{true} incidents, {found} found, {false} false")
    assert true >= 8
    assert found == true
