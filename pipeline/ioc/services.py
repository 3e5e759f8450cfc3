"""Everything one service is made of, put together once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pipeline.ioc.config import AreaTree, IocConfig
from pipeline.ioc.desk import Desk
from pipeline.ioc.desk.cameras import Boxes
from pipeline.ioc.desk.citizens import CitizensDesk
from pipeline.ioc.desk.display import Display
from pipeline.ioc.desk.exchange import Exchange
from pipeline.ioc.desk.feed import Feed
from pipeline.ioc.desk.files import EvidenceFiles
from pipeline.ioc.desk.indicators import Indicators
from pipeline.ioc.desk.log import AuditLog
from pipeline.ioc.desk.scenes import SceneDesk
from pipeline.ioc.ingest.apart import IngestProcess
from pipeline.ioc.ingest.letters import DeadLetters
from pipeline.ioc.ingest.publish import ReviewPublisher
from pipeline.ioc.ingest.run import Ingest
from pipeline.ioc.ingest.writer import move_cameras
from pipeline.ioc.people import Accounts
from pipeline.ioc.retention import Retention
from pipeline.ioc.store import Database, open_database


@dataclass(frozen=True, slots=True)
class Services:
    """What API and console stand on."""

    config: IocConfig
    areas: AreaTree
    database: Database
    accounts: Accounts
    desk: Desk
    files: EvidenceFiles
    log: AuditLog
    display: Display
    indicators: Indicators
    exchange: Exchange
    citizens: CitizensDesk
    boxes: Boxes
    scenes: SceneDesk
    letters: DeadLetters
    feed: Feed
    ingest: Ingest | IngestProcess
    publisher: ReviewPublisher | None
    retention: Retention

    def start(self) -> None:
        """Take events in, publish decisions, tell what happens."""
        self.ingest.start()
        self.feed.start()
        if self.publisher is not None:
            self.publisher.start()
        self.retention.start()

    def stop(self) -> None:
        """Stop all of it within seconds."""
        self.retention.stop()
        self.feed.stop()
        self.ingest.stop()
        if self.publisher is not None:
            self.publisher.stop()
        self.database.close()


def build(config: IocConfig, prepare: Callable[[], None] = lambda: None) -> Services:
    """Open the database and make the rooms; nothing runs yet. Raises StoreError.

    `prepare` sets up the log where ingest has a process of its own; it must be picklable then.
    """
    areas = AreaTree(config.areas)
    database = open_database(config.database)
    move_cameras(database, areas)
    boxes = Boxes(config.workers, areas)
    return Services(
        config=config,
        areas=areas,
        database=database,
        accounts=Accounts(database, config.sessions, areas),
        desk=Desk(database, areas, config.review),
        files=EvidenceFiles(config.evidence),
        log=AuditLog(database, areas),
        display=Display(database, areas, config.map),
        indicators=Indicators(database, areas),
        exchange=Exchange(database, areas, config.map.cameras),
        citizens=CitizensDesk(database, config.citizens),
        boxes=boxes,
        scenes=SceneDesk(database, boxes),
        letters=DeadLetters(database, areas),
        feed=Feed(database, config.review.notice_days),
        # An outbox holds a few events a second; a broker may send thousands.
        ingest=Ingest(config, areas, database) if config.kafka is None else IngestProcess(config, prepare),
        publisher=ReviewPublisher(config.kafka, database) if config.kafka is not None else None,
        retention=Retention(config, database),
    )
