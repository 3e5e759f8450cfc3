"""Operators can look up every metric there is."""

from __future__ import annotations

import re

from pipeline.worker.metrics import Metrics
from tests.conftest import ROOT


def test_every_metric_is_documented_and_nothing_else() -> None:
    documented = set(
        re.findall(r"^\| `(ngatu_\w+)`", (ROOT / "docs" / "metrics.md").read_text(), re.MULTILINE)
    )
    exposed = {
        f"{family.name}_total" if family.type == "counter" else family.name
        for family in Metrics().registry.collect()
    }
    assert documented == exposed
