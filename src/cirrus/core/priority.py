"""Priorities of queued payloads: whole numbers from -9 to 9, three of which have names."""

from __future__ import annotations

LOWEST, HIGHEST = -9, 9
NAMED = {"low": -5, "normal": 0, "high": 5}


def parse_priority(text: str) -> int:
    """The priority of 'low', 'normal', 'high' or a number; ValueError says what is accepted."""
    try:
        found = NAMED[text] if text in NAMED else int(text)
    except ValueError:
        found = HIGHEST + 1
    if not LOWEST <= found <= HIGHEST:
        raise ValueError(f"{text!r} is no priority: low, normal, high or a whole number from -9 to 9 is expected")
    return found
