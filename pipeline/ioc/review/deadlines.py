"""The notice is due so many days after the act (Thông tư 73/2024/TT-BCA as read in secondary copies)."""

from __future__ import annotations

DAY_MS = 86_400_000


def days_left(at_ms: int, now_ms: int, notice_days: int) -> int:
    """Whole days until the notice is due: 0 in its last 24 hours, negative once it is late."""
    return (at_ms + notice_days * DAY_MS - now_ms) // DAY_MS


def acts_due_within(days: int, now_ms: int, notice_days: int) -> int:
    """Acts before this moment (epoch ms) have at most `days` whole days left."""
    return now_ms + (days + 1 - notice_days) * DAY_MS
