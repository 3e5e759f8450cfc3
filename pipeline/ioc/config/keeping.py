"""What becomes of evidence and of cases that go out of the house: how long, where from, in whose name."""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from pipeline.config.base import Settings
from pipeline.config.secrets import Login

Standing = Literal["confirmed", "rejected", "incomplete", "undecided"]
"""What was decided; undecided: somebody still has to."""
Days = Annotated[int | None, Field(ge=1, le=36_500)]


class Periods(Settings):
    """Days that evidence is kept, by what was decided; null: for ever.

    They count from the act, or from the last decision where that was later.
    """

    confirmed_days: Days = None
    rejected_days: Days = None
    incomplete_days: Days = None
    """Of records that lack something and were never up for a decision."""
    undecided_days: Days = None
    """Of cases that nobody has decided on; longer than review.notice_days."""


class RetentionSettings(Periods):
    """When evidence expires. Cases, events and the audit log stay; without any days nothing expires."""

    every_hours: Annotated[float, Field(gt=0, le=720)] = 24.0
    """How often the service looks for what has expired."""
    rules: dict[Annotated[str, Field(pattern=r"^[a-z0-9_]{1,64}$")], Periods] = Field(default_factory=dict)
    """Rules for which other days hold; what is not given here is as above."""

    def days(self, rule: str, standing: Standing) -> int | None:
        """How long evidence of a rule's cases is kept; None: for ever."""
        name = f"{standing}_days"
        own = self.rules.get(rule)
        found: int | None = getattr(own if own is not None and name in own.model_fields_set else self, name)
        return found

    @property
    def shortest(self) -> dict[Standing, int]:
        """The fewest days of any rule, for what expires at all."""
        names: tuple[Standing, ...] = ("confirmed", "rejected", "incomplete", "undecided")
        days = {name: [self.days(rule, name) for rule in ("", *self.rules)] for name in names}
        given = {name: [each for each in found if each is not None] for name, found in days.items()}
        return {name: min(found) for name, found in given.items() if found}


class S3Settings(Login):
    """Access to evidence on s3:// URLs. Without a login, the environment's or the machine's own is taken."""

    endpoint_url: str | None = None
    """Of a server that is not Amazon's."""
    region: Annotated[str, Field(max_length=64)] | None = None

    @field_validator("endpoint_url")
    @classmethod
    def _is_http_without_login(cls, url: str | None) -> str | None:
        if url is not None:
            parts = urlsplit(url)
            if parts.scheme not in ("http", "https") or not parts.hostname:
                raise ValueError("must be http://HOST:PORT or https://HOST:PORT")
            if parts.username or parts.password:
                raise ValueError("holds a login; give username, and password_env or password_file")
        return url


class NoticeSettings(Settings):
    """Who issues notices: stands on their form. What is empty is left open for a pen."""

    authority_above: Annotated[str, Field(max_length=100)] = ""
    """The authority that the issuing one belongs to."""
    authority: Annotated[str, Field(max_length=100)] = ""
    place: Annotated[str, Field(max_length=60)] = ""
    """Where notices are signed."""
    address: Annotated[str, Field(max_length=200)] = ""
    """Where owners are to come."""
    phone: Annotated[str, Field(max_length=40)] = ""


class ExportSettings(Settings):
    """Bounds of what is taken out at once."""

    most_cases: Annotated[int, Field(ge=1, le=1_000_000)] = 50_000
    """A list of more cases is refused: its filter is to be narrowed."""
