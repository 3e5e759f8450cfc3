"""How often one address may fail to log in, whichever names it tries."""

from __future__ import annotations

import ipaddress
import threading
from collections import deque

MOST_ADDRESSES = 20_000


class Throttle:
    """Counts of this service, in memory. Threads may share it."""

    def __init__(self, most: int, within_ms: int) -> None:
        """`most` failures within `within_ms`."""
        self._most = most
        self._within_ms = within_ms
        self._failures: dict[str, deque[int]] = {}
        self._lock = threading.Lock()

    def take(self, address: str, now_ms: int) -> bool:
        """Count an attempt as failed until `give_back`; False when the address has none left."""
        key = _network(address)
        with self._lock:
            failures = self._failures.setdefault(key, deque())
            while failures and failures[0] <= now_ms - self._within_ms:
                failures.popleft()
            if len(failures) >= self._most:
                return False
            failures.append(now_ms)
            if len(self._failures) > MOST_ADDRESSES:
                self._failures = {
                    key: kept
                    for key, kept in self._failures.items()
                    if kept and kept[-1] > now_ms - self._within_ms
                }
            return True

    def give_back(self, address: str) -> None:
        """The attempt did not fail after all."""
        with self._lock:
            if failures := self._failures.get(_network(address)):
                failures.pop()


def _network(address: str) -> str:
    """The address; of IPv6, the /64 that one subscriber has."""
    try:
        known = ipaddress.ip_address(address)
    except ValueError:
        return address[:100]
    if known.version == 6:
        return str(ipaddress.ip_network((known, 64), strict=False))
    return str(known)
