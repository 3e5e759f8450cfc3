"""How much an event may hold: a worker keeps within it, and the IOC refuses what goes beyond."""

from __future__ import annotations

LONGEST_NAME = 200
"""Characters of a camera's name or place."""
LONGEST_TEXT = 500
"""Characters of a reason, a title or a note."""
MOST_ENTRIES = 50
"""Points of a decree that one act may fall under."""
MOST_AMENDMENTS = 50
"""Later decrees that change one."""
