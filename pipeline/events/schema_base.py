"""What the data of all event types are made of."""

from __future__ import annotations

from typing import Annotated

from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    WithJsonSchema,
)

from pipeline.config.limits import LONGEST_TEXT
from pipeline.events.event import rfc3339

Moment = Annotated[
    AwareDatetime,
    PlainSerializer(rfc3339, return_type=str),
    WithJsonSchema(
        {
            "type": "string",
            "format": "date-time",
            "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$",
            "description": "RFC 3339, UTC, milliseconds.",
        }
    ),
]


def _shortened(text: object) -> object:
    return f"{text[: LONGEST_TEXT - 1]}…" if isinstance(text, str) and len(text) > LONGEST_TEXT else text


Told = Annotated[str, BeforeValidator(_shortened), Field(max_length=LONGEST_TEXT)]
"""A sentence for people: the end of a long one is left out, for no event is worth losing over it."""
Share = Annotated[float, Field(ge=0, le=1)]
Point = tuple[float, float]
Box = tuple[float, float, float, float]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Data(BaseModel):
    """What all data share."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True, allow_inf_nan=False)
