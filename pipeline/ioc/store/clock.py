"""The one clock of the IOC: moments are epoch milliseconds in UTC."""

from __future__ import annotations

import time


def now_ms() -> int:
    """Epoch milliseconds."""
    return int(time.time() * 1000)
