"""From bytes to rows, or to the reason why not. Everything that comes in is hostile."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog
from pydantic import BaseModel, ValidationError
from pydantic_core import from_json, to_json

from pipeline.ioc.store import JsonText
from pipeline.ioc.store.act import EARLIEST, LATEST, Act, FlowReport, HealthReport

log = structlog.get_logger(__name__)

MAX_BYTES = 1_000_000
ACT_TYPES = ("violation.candidate", "violation.incomplete", "security.incident")
MODELS: dict[str, type[BaseModel]] = {
    **dict.fromkeys(ACT_TYPES, Act),
    "camera.health": HealthReport,
    "traffic.flow": FlowReport,
}
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_EARLIEST_MS, _LATEST_MS = (round(end.timestamp() * 1000) for end in (EARLIEST, LATEST))
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
"""PostgreSQL keeps no NUL, UTF-8 no lone surrogates."""


class BadEventError(Exception):
    """What came is no event; the message says why, in one line."""


@dataclass(frozen=True, slots=True)
class Parsed:
    """An event that was examined."""

    id: str
    type: str
    at_ms: int
    data: JsonText
    """What came, as it is kept."""
    content: Act | HealthReport | FlowReport


def from_outbox(body: str) -> Parsed:
    """What `Event.to_json` wrote. Raises BadEventError."""
    with _at_fault():
        content = _json(body)
        return examine(content.get("id"), content.get("type"), content.get("time_ms"), content.get("data"))


def from_kafka(headers: Mapping[str, bytes | None], value: bytes | None) -> Parsed:
    """A CloudEvent in binary mode (attributes in headers) or structured mode. Raises BadEventError.

    A header without a value, which Kafka allows, is as if it were not there.
    """
    if value is None:
        raise BadEventError("the record has no value")
    with _at_fault():
        try:
            text = value.decode()
            ce = {name.lower(): content.decode() for name, content in headers.items() if content is not None}
        except UnicodeDecodeError as error:
            raise BadEventError("it is not UTF-8") from error
        content = _json(text)
        if "ce_id" in ce:
            return examine(ce["ce_id"], ce.get("ce_type"), _epoch_ms(ce.get("ce_time")), content)
        return examine(
            content.get("id"), content.get("type"), _epoch_ms(content.get("time")), content.get("data")
        )


def examine(event_id: object, event_type: object, at_ms: object, data: object) -> Parsed:
    """The event, or BadEventError."""
    if not isinstance(event_id, str) or not _ID.fullmatch(event_id):
        raise BadEventError("its id is none")
    model = MODELS.get(event_type) if isinstance(event_type, str) else None
    if model is None or not isinstance(event_type, str):
        raise BadEventError(f"its type {_short(event_type)} is not known")
    if isinstance(at_ms, bool) or not isinstance(at_ms, int) or not _EARLIEST_MS <= at_ms <= _LATEST_MS:
        raise BadEventError("its time is none, or not of this century")
    if not isinstance(data, dict):
        raise BadEventError("its data are no object")
    try:
        content = model.model_validate(data)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(str(part)[:60] for part in first["loc"])
        raise BadEventError(f"{event_type}: {place[:200]}: {first['msg'][:200]}") from error
    return Parsed(event_id, event_type, at_ms, _text(data), content)  # type: ignore[arg-type]


def storable(text: str) -> str:
    """Text that every database keeps."""
    return _UNSTORABLE.sub("\ufffd", text)


@contextmanager
def _at_fault() -> Iterator[None]:
    """What fails in a way that nobody foresaw is no event either: one record must not hold up all others.

    Examining touches neither database nor broker, so their trouble is never taken for a record's.
    """
    try:
        yield
    except (BadEventError, MemoryError):
        raise
    except Exception as error:
        log.exception("record_not_examined")
        raise BadEventError(f"it cannot be examined: {type(error).__name__}") from error


def _json(text: str) -> dict[str, Any]:
    if len(text) > MAX_BYTES:
        raise BadEventError(f"it has more than {MAX_BYTES} characters")
    try:
        content = from_json(text, allow_inf_nan=False)
    except (ValueError, TypeError) as error:  # TypeError: text with lone surrogates
        raise BadEventError("it is no JSON") from error
    if not isinstance(content, dict):
        raise BadEventError("it is no JSON object")
    return content


def _text(data: dict[str, Any]) -> JsonText:
    text = to_json(data, inf_nan_mode="constants").decode()
    if "\\u0000" in text:
        raise BadEventError("it holds a NUL character")
    if "Infinity" in text:
        # A number too large for a float, such as 1e400, was read as infinite: it is no JSON any more.
        try:
            json.dumps(data, allow_nan=False)
        except ValueError as error:
            raise BadEventError("it holds a number without end") from error
    return JsonText(text)


def _epoch_ms(text: object) -> int | None:
    if not isinstance(text, str):
        return None
    try:
        moment = datetime.fromisoformat(text)
        return round(moment.timestamp() * 1000) if moment.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None


def _short(value: object) -> str:
    return repr(value)[:80]
