"""Events of each type, as the pipeline makes them, and a look at what Kafka holds."""

from __future__ import annotations

import time
import uuid
from dataclasses import replace
from pathlib import Path
from typing import Any

from kafka import KafkaConsumer, TopicPartition

from pipeline.config import CameraSettings, KafkaSettings
from pipeline.config.camera import StreamSettings
from pipeline.events.build import Origin, build_act, build_flow, build_health, with_evidence, with_plate
from pipeline.events.event import Event
from pipeline.law.load import load_law
from pipeline.types import (
    CameraHealth,
    EvidenceBundle,
    EvidenceItem,
    FlowCount,
    FrameTime,
    Hit,
    LampColor,
    MissingItem,
    PlateReading,
    PlateSight,
    RoadUserKind,
    TrackPoint,
)

START_S = 1_780_000_000.0
ORIGIN = Origin("edge-7", "ngatu 0.1.0", "yolox_nano_416", "ab" * 32)
RTCP = FrameTime(START_S, "rtcp", 12.5, 4.0)
NOT_FINISHED = MissingItem("clip", "the worker stopped before the evidence was finished")
LAW = load_law().in_force("red_light", RoadUserKind.MOTORBIKE, START_S)
NO_PLATE = PlateReading.unread("the worker stopped before the plate was read")
PLATE = PlateReading(
    text="59P231316",
    lines=("59P2", "31316"),
    voted=("59P2", "31316"),
    confidence=0.97,
    outcome="legible",
    form="motorbike",
    province="59",
    color="white",
    sights=(PlateSight(START_S, (0.33, 0.6, 0.36, 0.63), ("59-P2", "313.16"), 0.97, 18.5),),
)


def camera(camera_id: str = "cam-1") -> CameraSettings:
    detect = StreamSettings(url="rtsp://10.0.0.9/live", username="admin")
    return CameraSettings(id=camera_id, name="Ngã tư Bình Minh", place="QL22B", detect=detect)


def hit(camera_id: str = "cam-1", track_id: int = 17, at_s: float = START_S) -> Hit:
    return Hit(
        rule="red_light",
        camera_id=camera_id,
        track_id=track_id,
        kind=RoadUserKind.MOTORBIKE,
        before=TrackPoint(at_s - 1.2, (0.1, 0.6, 0.2, 0.8)),
        at=TrackPoint(at_s, (0.3, 0.5, 0.4, 0.7)),
        after=TrackPoint(at_s + 0.8, (0.5, 0.4, 0.6, 0.6)),
        confidence=0.87,
        time=replace(RTCP, captured_at_s=at_s),
        facts={"lamp": "north", "movement": "straight", "red_since_s": 4.25},
        geometry={"stop_line": ((0.1, 0.7), (0.9, 0.72))},
        lamps={"north": ((0.45, 0.05, 0.47, 0.11), LampColor.RED)},
    )


def whole_bundle(root: Path) -> EvidenceBundle:
    stills = [
        EvidenceItem(role, f"{role}.jpg", "image/jpeg", 182_044, "cd" * 32, START_S + offset_s)
        for role, offset_s in (("before", -1.2), ("at", 0.0), ("after", 0.8))
    ]
    clip = EvidenceItem("clip", "clip.mp4", "video/mp4", 2_182_044, "ef" * 32, START_S - 4)
    return EvidenceBundle(root / "cam-1" / "20260528" / "b1", (*stills, clip), (), "01" * 32, "9f2c")


def bundle(root: Path) -> EvidenceBundle:
    """Of a camera that was lost."""
    return EvidenceBundle(
        path=root / "cam-1" / "20260528" / "b1",
        items=(
            EvidenceItem("at", "at.jpg", "image/jpeg", 182_044, "cd" * 32, START_S),
            EvidenceItem("clip", "clip.mp4", "video/mp4", 2_182_044, "ef" * 32, START_S - 4),
        ),
        missing=(MissingItem("after", "camera cam-1 was lost 0.3 s after the act"),),
        manifest_sha256="01" * 32,
        signature_key_id="9f2c",
    )


def act(seen: Hit, *, law: Any = LAW, plate: PlateReading = NO_PLATE) -> Event:
    """Before there is any evidence."""
    return build_act(seen, camera(seen.camera_id), ORIGIN, missing=[NOT_FINISHED], law=law, plate=plate)


def incomplete(camera_id: str = "cam-1", track_id: int = 17, at_s: float = START_S) -> Event:
    return act(hit(camera_id, track_id, at_s))


def candidate(camera_id: str = "cam-1", track_id: int = 17, at_s: float = START_S) -> Event:
    root = Path("evidence")
    return with_plate(with_evidence(incomplete(camera_id, track_id, at_s), whole_bundle(root), root), PLATE)


def incident(camera_id: str = "cam-1", track_id: int = 17, at_s: float = START_S) -> Event:
    seen = replace(hit(camera_id, track_id, at_s), rule="intrusion", kind=RoadUserKind.PERSON, lamps={})
    return act(replace(seen, concern="security"), law=None)


def flow(camera_id: str = "cam-1", start_s: float = START_S) -> Event:
    counts = [
        FlowCount(camera_id, start_s, start_s + 60, "left", RoadUserKind.CAR, 7),
        FlowCount(camera_id, start_s, start_s + 60, None, RoadUserKind.MOTORBIKE, 41),
    ]
    return build_flow(counts, camera(camera_id), ORIGIN, start_s=start_s, end_s=start_s + 60, observed_s=58.2)


def health(
    camera_id: str = "cam-1", since_s: float = START_S, told_s: float | None = None, **fields: Any
) -> Event:
    values = {"state": "up", "reconnects": 2, "time": RTCP, "codec": "h264", "size": (1920, 1080)}
    state = CameraHealth(camera_id=camera_id, since_s=since_s, **(values | fields))
    return build_health(state, camera(camera_id), ORIGIN, told_s=since_s if told_s is None else told_s)


def padded(event: Event, size: int) -> Event:
    """The event with about `size` bytes of facts, which no compression makes small."""
    noise = "".join(uuid.uuid4().hex for _ in range(size // 32))
    return replace(event, data={**event.data, "facts": {"noise": noise}})


def kafka_settings(address: str, **fields: Any) -> KafkaSettings:
    """Settings with topics of their own, so that tests share a broker."""
    prefix = uuid.uuid4().hex[:8]
    values = {
        "violations_topic": f"{prefix}.violations",
        "security_topic": f"{prefix}.security",
        "flow_topic": f"{prefix}.flow",
        "cameras_topic": f"{prefix}.cameras",
    }
    return KafkaSettings(brokers=(address,), **(values | fields))


def read_topic(address: str, topic: str) -> list[Any]:
    """All records of a topic, in order within each partition; none where it does not exist."""
    consumer = KafkaConsumer(
        bootstrap_servers=[address], enable_auto_commit=False, auto_offset_reset="earliest"
    )
    try:
        partitions = [TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic) or ()]
        consumer.assign(partitions)
        ends = consumer.end_offsets(partitions)
        records: list[Any] = []
        deadline = time.monotonic() + 20
        while any(consumer.position(part) < ends[part] for part in partitions):
            assert time.monotonic() < deadline, f"topic {topic} was not read to its end"
            for batch in consumer.poll(timeout_ms=500).values():
                records += batch
        return records
    finally:
        consumer.close()
