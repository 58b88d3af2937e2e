"""Sharing a limited task between control processes.

Each that wants some is entitled to an equal share of the limit; what does not divide goes round, second by second. What
others do not want is free for all. So nobody waits for ever behind one that always has more to do.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from cirrus.core.instant import SECOND
from cirrus.core.throttle import Limit


class Part(NamedTuple):
    """What a control process has under way, and what it would start beside that."""

    held: int
    wanted: int


def grant(limit: int, parts: Mapping[str, Part], who: str, now: int) -> int:
    """How many of the attempts that `who` wants may start; all together never have more than `limit` under way."""
    rivals = sorted(name for name, part in parts.items() if part.held + part.wanted or name == who)
    share, rest = divmod(limit, len(rivals))
    turn = now // SECOND
    taken = 0
    for n, name in enumerate(rivals):
        if name != who:
            due = share + ((n + turn) % len(rivals) < rest)
            taken += max(parts[name].held, min(due, parts[name].held + parts[name].wanted))
    return max(0, min(parts[who].wanted, limit - taken - parts[who].held))


def admitted(
    limit: Limit, parts: Mapping[str, Part], who: str, debt: int | None, now: int
) -> tuple[int, int | None, int | None]:
    """How many of the attempts that `who` wants may start under a limit, the debt of its rate then, and when the rate
    has room for those that it holds back.
    """
    wanted = parts[who].wanted
    room = wanted if limit.running is None else grant(limit.running, parts, who, now)
    if limit.rate is None:
        return room, None, None
    granted = min(room, limit.rate.free(debt, now))
    spent = limit.rate.spend(debt, now, granted) if granted else debt
    return granted, spent if granted else None, limit.rate.again(spent, now) if granted < room else None
