"""Events as many workers would send them, at a steady rate, some of them twice."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from kafka import KafkaProducer

from pipeline.events.event import to_kafka
from pipeline.ioc.config import IocKafkaSettings
from tests.events import examples

CAMERAS = 40
REPEATED = 0.03
"""Share of events that are sent once more, as workers do when an acknowledgement was lost."""
MIXTURE = {"candidate": 0.75, "incomplete": 0.1, "incident": 0.05, "flow": 0.1}


@dataclass(slots=True)
class Sent:
    """What the broker has acknowledged, each event counted once."""

    acts: Counter[str] = field(default_factory=Counter)
    """By type."""
    flows: int = 0
    records: int = 0
    """With repeats."""
    failed: list[str] = field(default_factory=list)
    took_s: float = 0.0

    @property
    def events(self) -> int:
        """Acts and flows."""
        return self.acts.total() + self.flows


class Publisher:
    """One producer that stands for all workers; gzip, as theirs are."""

    def __init__(self, kafka: IocKafkaSettings, seed: int = 1) -> None:
        self._kafka = kafka
        self._draw = random.Random(seed)
        self._templates = _templates()
        self._producer: Any = KafkaProducer(
            bootstrap_servers=list(kafka.brokers),
            acks="all",
            enable_idempotence=True,
            compression_type="gzip",
            linger_ms=50,
            max_block_ms=120_000,
            delivery_timeout_ms=180_000,
            metrics_enabled=False,
        )
        self._numbers = 0

    def run(self, rate: float, seconds: float, stop: threading.Event | None = None) -> Sent:
        """Send `rate` events a second for so long (or until `stop`), then wait for the acknowledgements.

        What falls behind, because the broker was away, is caught up with as fast as it goes.
        """
        sent, began, number = Sent(), time.monotonic(), 0
        futures: list[Any] = []
        while number < rate * seconds and not (stop is not None and stop.is_set()):
            for _ in range(min(round(rate * 0.05) or 1, round(rate * seconds) - number)):
                futures += self._send(sent)
                number += 1
            time.sleep(max(0.0, began + number / rate - time.monotonic()))
        for future in futures:
            try:
                future.get(timeout=180)
            except Exception as error:
                sent.failed.append(repr(error))
        sent.took_s = time.monotonic() - began
        return sent

    def close(self) -> None:
        """Let go of the broker."""
        self._producer.close(timeout=5)

    def _send(self, sent: Sent) -> list[Any]:
        self._numbers += 1
        kind = self._draw.choices(list(MIXTURE), list(MIXTURE.values()))[0]
        camera, headers, value = self._draw.choice(self._templates[kind])
        own = {
            "ce_id": f"load-{self._numbers:08}".encode(),
            "ce_time": datetime.now(UTC).isoformat().encode(),
        }
        topic = {
            "incident": self._kafka.security_topic,
            "flow": self._kafka.flow_topic,
        }.get(kind, self._kafka.violations_topic)
        times = 2 if self._draw.random() < REPEATED else 1
        record = {"key": camera, "value": value, "headers": list((headers | own).items())}
        if kind == "flow":
            sent.flows += 1
        else:
            sent.acts[headers["ce_type"].decode()] += 1
        sent.records += times
        return [self._producer.send(topic, **record) for _ in range(times)]


def _templates() -> dict[str, list[tuple[bytes, dict[str, bytes], bytes]]]:
    made: dict[str, list[tuple[bytes, dict[str, bytes], bytes]]] = {}
    for kind in MIXTURE:
        for number in range(CAMERAS):
            camera = f"cam-{number}"
            message = to_kafka(getattr(examples, kind)(camera))
            made.setdefault(kind, []).append((camera.encode(), dict(message.headers), bytes(message.value)))
    return made
