"""Numbers of deliveries and of kept events: by time, and unlike those of other processes."""

from __future__ import annotations

import secrets
import threading
import time

_BITS = 24
DAY_SPAN = 86_400 * 10**9 << _BITS
_last = 0
_lock = threading.Lock()


def next_number() -> int:
    """A number greater than every one that this process gave before, and unlike those of others."""
    global _last  # one sequence for all outboxes of a process
    with _lock:
        _last = max(_last + 1, time.time_ns() << _BITS | secrets.randbits(_BITS))
        return _last


def at_time(seconds: float) -> int:
    """The least number of an instant, in seconds since the epoch."""
    return int(seconds * 10**9) << _BITS
