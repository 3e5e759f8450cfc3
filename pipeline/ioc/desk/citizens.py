"""What citizens are told: confirmed cases of a plate, and nothing that tells whether there are others."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select

from pipeline.ioc.config.display import CitizensSettings
from pipeline.ioc.people.throttle import Throttle
from pipeline.ioc.store import Database, clock
from pipeline.ioc.store.act import Act, bare_plate
from pipeline.ioc.store.counters import DAY_MS
from pipeline.ioc.store.models import Case, CaseEvent

MOST = 20


class CitizensDesk:
    """Threads may share it."""

    def __init__(self, database: Database, settings: CitizensSettings) -> None:
        self._database = database
        self.settings = settings
        self.per_address = Throttle(settings.per_address_per_minute, 60_000)
        self.overall = Throttle(settings.per_second, 1000)

    def confirmed(self, plate: str, vehicle: str) -> list[dict[str, Any]]:
        """Confirmed cases of this very plate on a vehicle of this kind, newest first, `MOST` at most.

        What an unconfirmed case leaves of the answer is nothing: it is not even read.
        """
        since_ms = clock.now_ms() - self.settings.days * DAY_MS
        known = (
            select(Case, CaseEvent.data)
            .join(CaseEvent, CaseEvent.case_id == Case.id)
            .where(
                Case.plate == bare_plate(plate),
                Case.plate != "",
                Case.at_ms >= since_ms,
                Case.state == "confirmed",
                Case.type == "violation.candidate",
                Case.road_user == vehicle,
            )
            .order_by(Case.at_ms.desc())
            .limit(MOST)
        )
        with self._database.read() as session:
            found = session.execute(known).all()
        return [self._told(case, Act.model_validate(data)) for case, data in found]

    def _told(self, case: Case, act: Act) -> dict[str, Any]:
        entries = act.law.entries if act.law is not None else ()
        return {
            "plate": case.plate,
            "plate_color": act.plate.color if act.plate is not None else None,
            "vehicle": case.road_user,
            "act": case.rule,
            "at": datetime.fromtimestamp(case.at_ms / 1000, UTC).isoformat(timespec="seconds"),
            "place": ", ".join(part for part in (act.camera.name, act.camera.place) if part),
            "law": [
                {"title": entry.title.model_dump(), "citation": entry.citation, "verified": entry.verified}
                for entry in entries
            ],
            "unit": self.settings.unit,
            "phone": self.settings.phone,
        }
