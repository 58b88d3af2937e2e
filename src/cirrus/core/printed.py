"""What a task prints, as it is kept: bounded, its beginning and its end whole."""

from __future__ import annotations

KEPT = 512 * 1024
_GAP = b"\n... output left out here while the attempt runs ...\n"


def joined(before: bytes, more: bytes) -> bytes:
    """What was kept, with what has come since; of more than a megabyte the first and last half."""
    text = before + more
    if len(text) <= 2 * KEPT + len(_GAP):
        return text
    return text[:KEPT] + _GAP + text[-KEPT:]
