"""Waiting for what a stand-in does in its own time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any


def until(what: str, look: Callable[[], Any], patience: float = 90.0) -> Any:
    """What `look` finds, once it finds something; fails after `patience` seconds."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        found = look()
        if found:
            return found
        time.sleep(0.3)  # between two looks
    raise AssertionError(f"{what}: not within {patience:g} s")
