"""`ngatu check`: is everything there that a worker needs? Changes nothing: whoever may run it, the worker's
folder stays the worker's own."""

from __future__ import annotations

import errno
import os
import shutil
import socket
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from pipeline.cameras.errors import CameraError
from pipeline.cameras.probe import probe
from pipeline.config import CameraSettings, Config, ModelSettings, StreamSettings
from pipeline.config.document import ConfigError
from pipeline.events.errors import EventsError
from pipeline.events.kafka_sink import BrokerReport
from pipeline.events.kafka_sink import check as check_broker
from pipeline.evidence import EvidenceError, SigningKey
from pipeline.evidence.signing import PRIVATE_NAME
from pipeline.law.catalogue import local_date, summary
from pipeline.law.load import load_law
from pipeline.perception.closer import CLASSES, HeadFinder, known_classes
from pipeline.perception.detector import Detector
from pipeline.perception.errors import PerceptionError
from pipeline.perception.windows import show_more
from pipeline.plates import PlateError, PlateReader
from pipeline.rules import RULES, SECURITY, blind
from pipeline.scene import SceneSettings
from pipeline.types import Lamp
from pipeline.worker.plates import BUDGET_S

LEAST_FREE_MB = 500
MIN_LAMP_PX = 6
"""A lamp's light that is smaller in the analysed picture cannot be told from its neighbours."""
MIN_LAMP_HZ = 2.0
"""A colour counts when it was seen twice within a second (perception.signals): with fewer pictures a second a
lamp stays unknown, and no rule that asks for it ever tells anything."""
PROBE_TIMEOUT_S = 15.0
ACT_MB = 1.3
"""Of evidence, roughly; a record stream of many megabits a second takes more."""
HINT = ", or set model.heads (models/ngatu_heads_int8.onnx)"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    what: str
    ok: bool
    detail: str


def findings(config: Config, scenes: dict[str, SceneSettings], *, offline: bool = False) -> Iterator[Finding]:
    """Look at the model, the disk, the broker and every camera; `offline` leaves out broker and cameras."""
    yield Finding("configuration", True, f"{len(config.cameras)} cameras")
    detector: list[Detector] = []
    yield _try("model", lambda: _model(config, detector))
    if detector:
        yield from _rules(config, scenes, detector[0])
    for camera in config.cameras:
        yield from lamps_known(camera, scenes[camera.id])
    yield from _records(config, scenes)
    yield _try("disk", lambda: _disk(config))
    yield _try("room", lambda: _room(config))
    yield _try("signing key", lambda: _key(config))
    yield _try("monitor", lambda: _monitor(config))
    operator, kafka = config.worker.operator, config.kafka
    if operator is not None:
        yield _try("operator", lambda: f"a token of {len(operator.token())} characters")
    if kafka is not None and kafka.security_protocol.startswith("SASL"):
        yield _try("kafka password", lambda: "known" if kafka.password() else "none is named")
    if offline:
        return
    if kafka is None:
        room = f"{config.outbox.max_megabytes:g} MB"
        yield Finding(
            "kafka", True, f"not configured: events stay in the outbox; after {room} it refuses more"
        )
    else:
        yield _try("kafka", lambda: _broker_detail(check_broker(kafka)))
    input_size = detector[0].input_size if detector else None
    with ThreadPoolExecutor(max_workers=8) as pool:
        for found in pool.map(
            lambda camera: list(_camera(camera, scenes[camera.id], input_size)), config.cameras
        ):
            yield from found


def _try(what: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(what, True, look())
    except (
        PerceptionError,
        PlateError,
        EventsError,
        EvidenceError,
        CameraError,
        OSError,
        ValueError,
    ) as error:
        return Finding(what, False, str(error))


def _model(config: Config, loaded: list[Detector]) -> str:
    detector = Detector(config.model)
    loaded.append(detector)
    width, height = detector.input_size
    if config.model.heads is not None:
        HeadFinder(config.model.heads)
    return (
        f"{config.model.path.name}: {detector.model.layout.name}, {width}x{height}, "
        f"{len(detector.names)} classes, riders {_riders(detector)}, on {detector.model.provider}"
    )


def _riders(detector: Detector) -> str:
    return "in the two-wheeler's box" if detector.riders_in_box else "as persons of their own"


def _rules(config: Config, scenes: dict[str, SceneSettings], detector: Detector) -> Iterator[Finding]:
    for camera in config.cameras:
        yield from rules_served(camera.id, scenes[camera.id], config.model, detector)


def rules_served(
    camera_id: str, scene: SceneSettings, model: ModelSettings, detector: Detector
) -> Iterator[Finding]:
    """Rules that are on and that this model cannot serve, or serves in part."""
    for name in scene.rules:
        limits = getattr(RULES[name], "limits", None)
        if limits is not None and (told := limits(scene)):
            yield Finding(f"{camera_id} rule {name}", True, told)
    for name, classes in blind(scene, known_classes(model, detector)).items():
        yield Finding(
            f"{camera_id} rule {name}",
            False,
            f"cannot run with model {model.path.name}, which knows no {' and no '.join(classes)}: "
            "switch it off, or use a model that does" + HINT * (set(classes) <= CLASSES),
        )


def lamps_known(
    camera: CameraSettings, scene: SceneSettings, stream_fps: float | None = None
) -> Iterator[Finding]:
    """Lamps that too few pictures show to be known: of those analysed or, if given, of the stream's."""
    rate_hz, where, cure = camera.analysis.rate_hz, "analysed", "raise analysis.rate_hz"
    if stream_fps is not None:
        rate_hz, where, cure = round(stream_fps), "in the stream", "raise the camera's frame rate"
    if scene.lamps and rate_hz < MIN_LAMP_HZ:
        lamps = ", ".join(lamp.id for lamp in scene.lamps)
        yield Finding(
            f"{camera.id} lamps",
            False,
            f"{lamps} cannot be known from {rate_hz:g} pictures a second {where}, {MIN_LAMP_HZ:g} are the "
            f"least: {cure}, or take the lamps out of the scene",
        )


def _records(config: Config, scenes: dict[str, SceneSettings]) -> Iterator[Finding]:
    """What a record needs besides pictures: the law, and plates."""
    try:
        catalogue = load_law(config.law)
    except ConfigError as error:
        yield Finding("law", False, "; ".join(error.problems))
    else:
        today = catalogue.on(local_date(time.time()))
        yield Finding("law", bool(today), summary(today))
        known = {entry.act for entry in today}
        on = {name for scene in scenes.values() for name in scene.rules if name not in SECURITY}
        if silent := sorted(on - known):
            yield Finding(
                "law", False, f"no entry in force for {', '.join(silent)}: their events name no law"
            )
    if config.plates.enabled:
        yield _try("plates", _plates)
    else:
        told = "not read (plates.enabled is false): every violation is violation.incomplete, none a candidate"
        yield Finding("plates", True, told)


def _plates() -> str:
    PlateReader()
    return f"read, within {BUDGET_S:g} s an act; an act without a legible one is violation.incomplete"


def _disk(config: Config) -> str:
    data_dir = config.worker.data_dir
    try:
        there = _nearest(data_dir)
        with tempfile.TemporaryFile(dir=there) as probe_file:
            probe_file.write(b"\0" * 65536)
            probe_file.flush()
            os.fsync(probe_file.fileno())
    except OSError as error:
        raise ValueError(
            f"data_dir {data_dir} cannot be written: {error.strerror}; check mount, space and owner"
        ) from None
    free_mb = shutil.disk_usage(there).free / 1e6
    if free_mb < LEAST_FREE_MB:
        raise ValueError(f"data_dir {data_dir} has {free_mb:.0f} MB free; {LEAST_FREE_MB} MB are the least")
    return f"{data_dir}: {free_mb / 1000:.1f} GB free" + "; the worker will make it" * (there != data_dir)


def _nearest(folder: Path) -> Path:
    return next(path for path in (folder, *folder.absolute().parents) if path.exists())


def _room(config: Config) -> str:
    outbox, evidence = config.outbox, config.evidence
    disk = shutil.disk_usage(_nearest(config.worker.data_dir))
    room_mb = (1 - outbox.reserve_share) * outbox.bound_bytes(disk.total) / 1e6
    days = min(evidence.least_days, evidence.retention_days)
    acts = f"some {room_mb / ACT_MB:.0f} acts"
    if config.kafka is None or not days:
        return acts
    return f"{acts}: {room_mb / ACT_MB / days:.0f} a day, as evidence stays for {days:g} days at least"


def _key(config: Config) -> str:
    data_dir = config.worker.data_dir
    if not (data_dir / PRIVATE_NAME).exists():
        return "none yet: the worker makes it at its first start"
    return f"key {SigningKey.load_or_create(data_dir).key_id}"


def _monitor(config: Config) -> str:
    """A taken port is told and no more: a worker that runs holds its own."""
    address = (config.worker.metrics_host, config.worker.metrics_port)
    where = f"{address[0]}:{address[1]}"
    try:
        # With the address reused, as by the server itself: a port just given up is free.
        socket.create_server(address).close()
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return f"{where} is taken: by this worker, where it runs; else choose another worker.metrics_port"
        raise ValueError(f"{where} cannot be had: {error.strerror}; see worker.metrics_host") from None
    return where


def _broker_detail(report: BrokerReport) -> str:
    nodes, missing = ", ".join(report.nodes), ", ".join(report.missing_topics)
    return nodes + (f"; topics that will be created: {missing}" if missing else "")


def _camera(
    camera: CameraSettings, scene: SceneSettings, input_size: tuple[int, int] | None
) -> Iterable[Finding]:
    streams: list[tuple[str, StreamSettings]] = [("detect", camera.detect)]
    if camera.record is not None:
        streams.append(("record", camera.record))
    for role, stream in streams:
        what = f"{camera.id} {role}"
        try:
            info = probe(stream, PROBE_TIMEOUT_S)
        except CameraError as error:
            yield Finding(what, False, str(error))
            continue
        yield Finding(
            what,
            True,
            f"{info.codec} {info.width}x{info.height} at {info.fps:.0f}/s, time from {info.time_source}",
        )
        if role == "detect":
            yield scene_fits(camera, scene, info.width, info.height, input_size)
            yield from lamps_known(camera, scene, info.fps)


def scene_fits(
    camera: CameraSettings,
    scene: SceneSettings,
    width: int,
    height: int,
    input_size: tuple[int, int] | None,
) -> Finding:
    """Whether lamps and windows are large enough in a stream of this size; `input_size`: the model's."""
    scale = min(1.0, camera.analysis.max_width_px / width)
    small = [
        f"lamp {lamp.id} has {size:.0f} px a light in the analysed picture, {MIN_LAMP_PX} px are the least"
        for lamp in scene.lamps_to_read()
        if (size := _light_px(lamp, width * scale, height * scale)) < MIN_LAMP_PX
    ]
    what = f"{camera.id} scene"
    if small:
        return Finding(what, False, "; ".join(small) + ": raise analysis.max_width_px or use a larger stream")
    told = ", ".join(scene.rules) or "no rules: road users are counted only"
    analysed = round(width * scale), round(height * scale)
    if scene.windows and input_size is not None and not show_more(analysed, input_size):
        told += (
            f"; its windows show no more than the whole picture, {analysed[0]}x{analysed[1]} as against the "
            f"model's {input_size[0]}x{input_size[1]}: analyse a larger stream, or leave them out"
        )
    return Finding(what, True, told)


def _light_px(lamp: Lamp, width: float, height: float) -> float:
    left, top, right, bottom = lamp.box
    across, down = (right - left) * width, (bottom - top) * height
    if lamp.layout == "vertical":
        down /= 3
    elif lamp.layout == "horizontal":
        across /= 3
    return min(across, down)
