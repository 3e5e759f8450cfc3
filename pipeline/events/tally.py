"""How many acts of each kind were told as candidates, how many were not whole, and what they lacked."""

from __future__ import annotations

from collections import Counter
from typing import Any

from pipeline.events.event import ACTS, Event, EventType


class Tally:
    """Counts acts; events of other types are passed over, those of rules on trial too."""

    def __init__(self) -> None:
        self.acts: Counter[tuple[str, EventType]] = Counter()
        """By rule and type."""
        self.missing: Counter[tuple[str, str]] = Counter()
        """Parts by rule and code; an act may lack several."""

    def add(self, event: Event) -> None:
        """Count it."""
        if event.type not in ACTS or event.is_shadow:
            return
        rule = event.data["rule"]
        self.acts[rule, event.type] += 1
        # An event of an earlier version may wait in the outbox: it does not say.
        self.missing.update((rule, part["code"]) for part in event.data.get("missing", ()))

    def kinds(self) -> Counter[str]:
        """Acts by rule, whole or not."""
        kinds: Counter[str] = Counter()
        for (rule, _), count in self.acts.items():
            kinds[rule] += count
        return kinds

    def of(self, event_type: EventType) -> int:
        """Acts of a type."""
        return sum(count for (_, kind), count in self.acts.items() if kind is event_type)

    def lacking(self, rule: str) -> dict[str, int]:
        """What acts of a rule lacked, most often first."""
        parts: Counter[str] = Counter()
        for (name, code), count in self.missing.items():
            if name == rule:
                parts[code] += count
        return dict(parts.most_common())

    def as_json(self) -> dict[str, Any]:
        """For machines: rule to counts by type, and what was missing."""
        return {
            rule: {
                **{kind.value: self.acts[rule, kind] for kind in ACTS if self.acts[rule, kind]},
                "missing": self.lacking(rule),
            }
            for rule in sorted(self.kinds())
        }
