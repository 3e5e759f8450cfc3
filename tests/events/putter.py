"""A process that puts and sends events as a worker does, until it is killed.

Arguments: outbox file, file to note finished events in, broker, the three topics.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from pipeline.config import KafkaSettings
from pipeline.events.kafka_sink import KafkaSink
from pipeline.events.outbox import Outbox
from pipeline.events.publisher import Publisher
from tests.events.examples import candidate, flow, health


def main() -> None:
    path, notes, broker, violations, flows, cameras = sys.argv[1:]
    settings = KafkaSettings(
        brokers=(broker,), violations_topic=violations, flow_topic=flows, cameras_topic=cameras
    )
    outbox = Outbox(Path(path))
    for event in outbox.leftover_hits():
        outbox.put(event)
    publisher = Publisher(outbox, KafkaSink(settings))
    publisher.start()
    note = os.open(notes, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    number = 0
    while True:
        number += 1
        now_s = time.time()
        hit = candidate(f"cam-{number % 4}", track_id=number, at_s=now_s)
        outbox.journal(hit)
        os.write(note, f"journal {hit.id}\n".encode())
        for event in (flow(start_s=now_s), health(since_s=now_s), hit):
            outbox.put(event)
            os.write(note, f"put {event.id}\n".encode())


if __name__ == "__main__":
    main()
