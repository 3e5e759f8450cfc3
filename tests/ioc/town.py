"""A town with a day behind it: cameras, acts of many kinds, traffic, health. For wall and indicators."""

from __future__ import annotations

import random
import time
import uuid
from dataclasses import replace
from pathlib import Path
from typing import Any

from pipeline.config import CameraSettings
from pipeline.config.camera import StreamSettings
from pipeline.events.build import build_act, build_flow, build_health
from pipeline.events.event import Event
from pipeline.ioc.ingest.writer import Batch, Writer
from pipeline.ioc.services import Services
from pipeline.types import CameraHealth, FlowCount, LaneState, RoadUserKind
from tests.events import examples
from tests.ioc.acts import parsed
from tests.ioc.office import with_evidence

CAMERAS = {
    "cam-1": ("Ngã tư Bình Minh", "QL22B", (11.2862, 106.1301)),
    "cam-2": ("Cầu Quan", "Đường Trưng Nữ Vương", (11.2790, 106.1190)),
    "cam-3": ("Cửa số 2 Tòa Thánh", "Đường Phạm Hộ Pháp", (11.3040, 106.1350)),
    "cam-4": ("Vòng xoay Lê Duẩn", "Đường 30/4", (11.3105, 106.1010)),
    "cam-5": ("Ngã ba Mít Một", "Đường CMT8", (11.2930, 106.1490)),
}
RULES = {
    "red_light": 9,
    "wrong_way": 4,
    "speeding": 6,
    "wrong_lane": 7,
    "no_helmet": 5,
    "illegal_stop": 3,
    "u_turn": 2,
    "solid_line": 3,
}
KINDS = (RoadUserKind.MOTORBIKE, RoadUserKind.CAR, RoadUserKind.TRUCK)


def camera(camera_id: str) -> CameraSettings:
    name, place, _ = CAMERAS[camera_id]
    return CameraSettings(
        id=camera_id, name=name, place=place, detect=StreamSettings(url="rtsp://10.0.0.9/live")
    )


def act(camera_id: str, rule: str, at_s: float, track: int, root: Path | None, kind: str = "") -> Event:
    """A candidate, or with kind "incomplete" or "incident" one of these."""
    seen = replace(examples.hit(camera_id, track, at_s), rule=rule, kind=KINDS[track % 3])
    if kind == "incident":
        seen = replace(seen, concern="security", kind=RoadUserKind.PERSON, lamps={})
        return build_act(
            seen, camera(camera_id), examples.ORIGIN, missing=[], law=None, plate=examples.NO_PLATE
        )
    if kind == "incomplete":
        missing = [examples.NOT_FINISHED]
        plate = examples.NO_PLATE
        return build_act(
            seen, camera(camera_id), examples.ORIGIN, missing=missing, law=examples.LAW, plate=plate
        )
    folder = Path("evidence")
    plate = replace(examples.PLATE, text=f"70F1{20000 + track % 79999:05}")
    event = build_act(seen, camera(camera_id), examples.ORIGIN, missing=[], law=examples.LAW, plate=plate)
    event = examples.with_plate(examples.with_evidence(event, examples.whole_bundle(folder), folder), plate)
    return with_evidence(event, root) if root is not None else event


def flow(camera_id: str, start_s: float, vehicles: int, speed_kmh: float, level: Any) -> Event:
    counts = [
        FlowCount(camera_id, start_s, start_s + 60, "right", kind, count)
        for kind, count in (
            (RoadUserKind.MOTORBIKE, vehicles - vehicles // 4),
            (RoadUserKind.CAR, vehicles // 4),
            (RoadUserKind.PERSON, 2),
        )
    ]
    lanes = [LaneState(start_s, "right", speed_kmh, 9.0, 0, None, level)]
    return build_flow(
        counts,
        camera(camera_id),
        examples.ORIGIN,
        start_s=start_s,
        end_s=start_s + 60,
        observed_s=58.5,
        lanes=lanes,
    )


def health(camera_id: str, since_s: float, state: Any, reason: str = "") -> Event:
    told = CameraHealth(
        camera_id=camera_id,
        since_s=since_s,
        state=state,
        reason=reason,
        time=examples.RTCP,
        codec="h264",
        size=(1920, 1080),
    )
    return build_health(told, camera(camera_id), examples.ORIGIN, told_s=since_s)


def live_through(
    the: Services, root: Path, *, seed: int = 7, hours: int = 30, now_s: float = 0
) -> list[Event]:
    """The town's last hours, into the database; returns the events."""
    draw = random.Random(seed)
    now_s = now_s or time.time()
    events: list[Event] = []
    for number, camera_id in enumerate(CAMERAS):
        events.append(health(camera_id, now_s - hours * 3600, "up"))
        for hour in range(hours):
            for part in range(3):
                busy = 0.25 + 0.75 * abs(((hour + 4) % 24) - 12) / 12
                start_s = (now_s - hour * 3600 - part * 600 - 90) // 60 * 60
                jam = number == 1 and hour in (0, 1, 8)
                level = "F" if jam else draw.choice("ABBC")
                speed = 9.0 if jam else 38 + draw.random() * 9
                events.append(flow(camera_id, start_s, round((14 + 7 * number) * busy), speed, level))
    events.append(
        health("cam-5", now_s - 1500, "down", "no answer from 10.0.0.9: look at its power and cable")
    )
    rules, weights = list(RULES), list(RULES.values())
    for track in range(hours * 9):
        rule = draw.choices(rules, weights)[0]
        camera_id = draw.choices(list(CAMERAS), (9, 6, 4, 3, 2))[0]
        at_s = now_s - 20 - (draw.random() ** 1.2) * hours * 3600
        kind = draw.choices(("", "incomplete"), (8, 1))[0]
        recent = at_s > now_s - 3 * 3600
        events.append(act(camera_id, rule, at_s, track, root if recent else None, kind))
    for track in range(7):
        at_s = now_s - draw.random() * hours * 1800
        events.append(act("cam-3", draw.choice(("intrusion", "crowd")), at_s, 9000 + track, None, "incident"))
    writer = Writer(the.database, the.areas)
    taken = [parsed(event) for event in events]
    for start in range(0, len(taken), 400):
        writer.write(Batch(taken[start : start + 400]))
    return events


def unique(prefix: str) -> str:
    return f"{prefix}{uuid.uuid4().hex[:6]}"
