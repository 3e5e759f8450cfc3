"""What the wall and the cameras page show: counters and states of the areas that somebody may see.

Everything is read from counters that ingest keeps, never from cases; what many screens ask for is kept for
some seconds, so that a hundred walls cost what one does.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from functools import reduce
from operator import add
from typing import Any

from sqlalchemy import ColumnElement, func, select, true
from sqlalchemy.orm import Session

from pipeline.ioc.config import AreaTree
from pipeline.ioc.config.areas import within
from pipeline.ioc.config.display import MapSettings, map_lines
from pipeline.ioc.desk.desk import NotFoundError
from pipeline.ioc.desk.queue import waiting_in
from pipeline.ioc.people import Person
from pipeline.ioc.store import Database, clock
from pipeline.ioc.store.counters import DAY_MS, HOUR_MS, VEHICLES, day_of, hour_of
from pipeline.ioc.store.models import (
    CameraState,
    Case,
    DayCount,
    Health,
    HourCount,
    ReviewDay,
    TrafficHour,
)

WALL_S, TRENDS_S = 2.0, 30.0
"""What is asked for again within this time is told from memory."""
SILENT_MS = 300_000
"""A camera that said nothing for so long is silent, whatever its last state: its worker may be gone."""
HOURS, DAYS = 24, 30
HOT, ROADS = 8, 60
LEAST_OBSERVED_MS = 45_000
"""A flow is told of this long at least."""
KEPT = 256
SECURITY = "security.incident"


class Display:
    """Threads may share it."""

    def __init__(self, database: Database, areas: AreaTree, settings: MapSettings) -> None:
        """Raises ConfigError for lines of the map that cannot be read."""
        self._database = database
        self._areas = areas
        self._positions = settings.cameras
        self.lines = map_lines(settings)
        self._kept: OrderedDict[object, tuple[float, Any]] = OrderedDict()
        self._lock = threading.Lock()

    def wall(self, person: Person) -> dict[str, Any]:
        """Everything of the wall but the cases themselves."""
        scope = self._scope(person)
        trends = self._kept_for(TRENDS_S, ("days", scope), lambda: self._days(scope))
        return {**self._kept_for(WALL_S, ("wall", scope), lambda: self._wall(scope)), "days": trends}

    def cameras(self, person: Person) -> list[dict[str, Any]]:
        """Cameras with their state and today's count."""
        scope = self._scope(person)
        found: list[dict[str, Any]] = self.wall(person)["cameras"] if scope else []
        return found

    def camera(self, person: Person, camera_id: str) -> dict[str, Any]:
        """One camera: its newest changes of state, its newest acts without plates. Raises NotFoundError."""
        with self._database.read() as session:
            camera = session.get(CameraState, camera_id)
            if camera is None or not within(camera.area, person.areas):
                raise NotFoundError(camera_id[:128])
            changes = session.scalars(
                select(Health).where(Health.camera == camera_id).order_by(Health.at_ms.desc()).limit(20)
            )
            health = [
                {
                    "at_ms": one.at_ms,
                    "state": str(one.data.get("state", ""))[:20],
                    "reason": str(one.data.get("reason", ""))[:500],
                    "notices": [str(text)[:500] for text in one.data.get("notices") or ()][:10],
                    "fits_scene": one.data.get("fits_scene"),
                    "video": f"{one.data.get('codec', '')} {one.data.get('width_px', 0)}x"
                    f"{one.data.get('height_px', 0)}"[:60],
                }
                for one in changes
            ]
            acts = session.execute(
                select(Case.id, Case.at_ms, Case.rule, Case.state, Case.road_user)
                .where(Case.camera == camera_id)
                .order_by(Case.at_ms.desc(), Case.id.desc())
                .limit(20)
            )
            return {
                **self._camera(camera, {}, clock.now_ms()),
                "health": health,
                "acts": [dict(act._mapping) for act in acts],
            }

    def _scope(self, person: Person) -> tuple[str, ...]:
        """The areas that the person may see, all of them: what a camera's area is looked up in."""
        return tuple(path for path in self._areas.names if within(path, person.areas))

    def _wall(self, scope: Sequence[str]) -> dict[str, Any]:
        now_ms = clock.now_ms()
        today, hour = day_of(now_ms), hour_of(now_ms)
        from_hour = hour - (HOURS - 1) * HOUR_MS
        shown = shown_areas(scope)
        shown_in = {area: _shown_in(area, shown) for area in scope}
        with self._database.read() as session:
            cameras = list(
                session.scalars(
                    select(CameraState).where(CameraState.area.in_(scope)).order_by(CameraState.id)
                )
            )
            where = {camera.id: shown_in[camera.area] for camera in cameras}
            by_camera = _rows(
                session,
                select(DayCount.camera, DayCount.rule, DayCount.type, DayCount.count).where(
                    DayCount.day_ms == today, _of(DayCount, scope, self._areas)
                ),
            )
            hourly = _rows(
                session,
                select(HourCount.hour_ms, HourCount.rule, HourCount.type, func.sum(HourCount.count))
                .where(
                    HourCount.hour_ms >= min(from_hour, today - DAY_MS),
                    HourCount.hour_ms <= now_ms,
                    _of(HourCount, scope, self._areas),
                )
                .group_by(HourCount.hour_ms, HourCount.rule, HourCount.type),
            )
            hourly_cameras = _rows(
                session,
                select(HourCount.hour_ms, HourCount.camera, func.sum(HourCount.count))
                .where(
                    HourCount.hour_ms >= from_hour,
                    HourCount.hour_ms <= now_ms,
                    HourCount.type != SECURITY,
                    _of(HourCount, scope, self._areas),
                )
                .group_by(HourCount.hour_ms, HourCount.camera),
            )
            reviews = dict(
                _rows(
                    session,
                    select(ReviewDay.state, func.sum(ReviewDay.count))
                    .where(ReviewDay.day_ms == today, _of(ReviewDay, scope, self._areas))
                    .group_by(ReviewDay.state),
                )
            )
            vehicles = reduce(add, (getattr(TrafficHour, kind) for kind in VEHICLES))
            # Rows, not objects: there are thousands.
            traffic = session.execute(
                select(
                    TrafficHour.camera,
                    TrafficHour.hour_ms,
                    TrafficHour.observed_ms,
                    vehicles.label("vehicles"),
                    TrafficHour.speed_sum,
                    TrafficHour.speed_weight,
                    TrafficHour.level_ms,
                    TrafficHour.congested_ms,
                ).where(
                    TrafficHour.hour_ms >= from_hour,
                    TrafficHour.hour_ms <= now_ms,
                    _of(TrafficHour, scope, self._areas),
                )
            ).all()
            everywhere = self._areas.root in scope
            waiting = select(Case.id).where(*waiting_in(None if everywhere else scope)).limit(1000)
            waits = session.scalar(select(func.count()).select_from(waiting.subquery())) or 0
        standing = set(where.values())
        kinds: dict[str, dict[str, Any]] = {}
        places: dict[str, dict[str, int]] = {path: {"violations": 0, "security": 0} for path in shown}
        cameras_today: dict[str, dict[str, int]] = defaultdict(dict)
        for camera, rule, kind, count in by_camera:
            security = kind == SECURITY
            one = kinds.setdefault(rule, {"rule": rule, "security": security, "count": 0, "incomplete": 0})
            one["count"] += count
            one["incomplete"] += count if kind == "violation.incomplete" else 0
            cameras_today[camera][rule] = cameras_today[camera].get(rule, 0) + count
            if camera in where:
                places[where[camera]]["security" if security else "violations"] += count
        before = _between(hourly, today - DAY_MS, now_ms - DAY_MS)
        hot = sorted(cameras_today, key=lambda camera: -sum(cameras_today[camera].values()))[:HOT]
        return {
            "now_ms": now_ms,
            "today_ms": today,
            "areas": [
                {"path": path, "name": self._areas.names[path], **places[path]}
                for path in shown
                if path in standing or not any(other.startswith(f"{path}/") for other in shown)
            ],
            "totals": {
                "violations": sum(one["count"] for one in kinds.values() if not one["security"]),
                "incomplete": sum(one["incomplete"] for one in kinds.values()),
                "security": sum(one["count"] for one in kinds.values() if one["security"]),
                "yesterday": before,
                "waiting": waits,
                "confirmed": int(reviews.get("confirmed", 0)),
                "rejected": int(reviews.get("rejected", 0)),
            },
            "kinds": sorted(kinds.values(), key=lambda one: (-one["count"], one["rule"])),
            "hours": {
                "from_ms": from_hour,
                "by_kind": _series(
                    [(at, rule, n) for at, rule, kind, n in hourly if kind != SECURITY],
                    from_hour,
                    HOUR_MS,
                    HOURS,
                ),
                "by_area": _series(
                    [(at, where[camera], n) for at, camera, n in hourly_cameras if camera in where],
                    from_hour,
                    HOUR_MS,
                    HOURS,
                ),
            },
            "hot": [{"camera": camera, "rules": cameras_today[camera]} for camera in hot],
            "roads": _roads(cameras, traffic, from_hour, hour),
            "cameras": [self._camera(camera, cameras_today.get(camera.id, {}), now_ms) for camera in cameras],
        }

    def _days(self, scope: Sequence[str]) -> dict[str, Any]:
        today = day_of(clock.now_ms())
        from_day = today - (DAYS - 1) * DAY_MS
        shown = shown_areas(scope)
        shown_in = {area: _shown_in(area, shown) for area in scope}
        with self._database.read() as session:
            # Once through the counters for both series: the sums are few.
            counts = _rows(
                session,
                select(DayCount.day_ms, DayCount.rule, CameraState.area, func.sum(DayCount.count))
                .join(CameraState, CameraState.id == DayCount.camera)
                .where(
                    DayCount.day_ms >= from_day,
                    DayCount.day_ms <= today,
                    DayCount.type != SECURITY,
                    _of(DayCount, scope, self._areas),
                )
                .group_by(DayCount.day_ms, DayCount.rule, CameraState.area),
            )
        return {
            "from_ms": from_day,
            "by_kind": _series([(at, rule, n) for at, rule, _, n in counts], from_day, DAY_MS, DAYS),
            "by_area": _series(
                [(at, shown_in[area], n) for at, _, area, n in counts if area in shown_in],
                from_day,
                DAY_MS,
                DAYS,
            ),
        }

    def _camera(self, camera: CameraState, today: dict[str, int], now_ms: int) -> dict[str, Any]:
        silent = now_ms - camera.seen_ms > SILENT_MS
        return {
            "id": camera.id,
            "name": camera.name,
            "place": camera.place,
            "area": camera.area,
            "state": "silent" if silent and camera.state not in ("down", "stopped") else camera.state or "up",
            "reason": camera.reason,
            "since_ms": camera.since_ms,
            "seen_ms": camera.seen_ms,
            "today": sum(today.values()),
            "position": self._positions.get(camera.id),
        }

    def _kept_for(self, seconds: float, key: object, make: Callable[[], Any]) -> Any:
        """The same answer for some seconds; one thread makes it while the others wait for it."""
        with self._lock:
            made_s, value = self._kept.get(key, (float("-inf"), None))
            if time.monotonic() - made_s < seconds:
                return value
            value = make()
            self._kept[key] = time.monotonic(), value
            self._kept.move_to_end(key)
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
            return value


def shown_areas(scope: Sequence[str]) -> list[str]:
    """The areas that somebody's counts are split into: the top ones' children, or a top one without any."""
    tops = [path for path in scope if not any(path.startswith(f"{other}/") for other in scope)]
    shown = []
    for top in tops:
        depth = top.count("/") + 1
        shown += [path for path in scope if path.startswith(f"{top}/") and path.count("/") == depth]
        shown.append(top)
    return shown


def _shown_in(area: str, shown: Collection[str]) -> str:
    """The one of the shown areas that an area counts to: the nearest above it."""
    return max((path for path in shown if within(area, [path])), key=len)


def _of(table: Any, scope: Sequence[str], areas: AreaTree) -> ColumnElement[bool]:
    """Counters of cameras in these areas; no condition where that is all."""
    if areas.root in scope:
        return true()
    found: ColumnElement[bool] = table.camera.in_(select(CameraState.id).where(CameraState.area.in_(scope)))
    return found


def _rows(session: Session, query: Any) -> list[Any]:
    """Rows with whole numbers for sums, which PostgreSQL gives as decimals."""
    return [(*keys, int(total)) for *keys, total in session.execute(query)]


def _between(hourly: Iterable[tuple[int, str, str, int]], from_ms: int, to_ms: int) -> int:
    """Violations of the hours between; of the last one, the part that is over."""
    total = 0.0
    for at, _, kind, count in hourly:
        if kind != SECURITY and from_ms <= at < to_ms:
            total += count * min(1.0, (to_ms - at) / HOUR_MS)
    return round(total)


def _series(
    rows: Iterable[tuple[int, str, int]], from_ms: int, step_ms: int, steps: int
) -> dict[str, list[int]]:
    series: dict[str, list[int]] = {}
    for at, name, count in rows:
        if 0 <= (index := (at - from_ms) // step_ms) < steps:
            series.setdefault(name, [0] * steps)[index] += count
    return series


def _roads(
    cameras: Sequence[CameraState], traffic: Iterable[Any], from_hour: int, hour: int
) -> list[dict[str, Any]]:
    """Flow and speed at each camera: of this hour, or of the one before while this one is young."""
    hours: dict[str, dict[int, Any]] = defaultdict(dict)
    for row in traffic:
        hours[row.camera][row.hour_ms] = row
    found: list[tuple[str, Any, int | None]] = []
    for camera in cameras:
        if mine := hours.get(camera.id):
            fresh = [mine[at] for at in (hour, hour - HOUR_MS) if at in mine]
            now = next((row for row in fresh if row.observed_ms >= LEAST_OBSERVED_MS), None)
            found.append((camera.id, now, _per_hour(now)))
    found.sort(key=lambda one: -(one[2] or 0))
    return [
        {
            "camera": camera_id,
            "vehicles_per_hour": per_hour,
            "speed_kmh": round(now.speed_sum / now.speed_weight, 1) if now and now.speed_weight else None,
            "congested": round(now.congested_ms / now.level_ms, 3) if now and now.level_ms else None,
            "flows": [_per_hour(hours[camera_id].get(from_hour + step * HOUR_MS)) for step in range(HOURS)],
        }
        for camera_id, now, per_hour in found[:ROADS]
    ]


def _per_hour(row: Any) -> int | None:
    if row is None or row.observed_ms < LEAST_OBSERVED_MS:
        return None
    return round(int(row.vehicles) * HOUR_MS / int(row.observed_ms))
