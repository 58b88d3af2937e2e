"""Claims of payloads that have limits: one transaction with the counts of their limits, for as many as have room.

What has no room waits, by its message. A transaction that could not be carried out says which of its parts could not:
claims that others have made are refused, and where a count has changed it is read again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from typing import Protocol

from cirrus.adapters.aws import attributes as rows_of
from cirrus.adapters.aws.attributes import Row
from cirrus.adapters.aws.slots import Slots
from cirrus.adapters.aws.statements import Statements
from cirrus.adapters.aws.tables import Tables
from cirrus.core.state import RUNNING
from cirrus.errors import StoreError
from cirrus.ports.state_db import Claim

_MOST = 30  # each may count in two limits of its own
_ROUNDS = 12
Rows = Callable[[Sequence[str]], dict[str, Row]]


class Waiting(Protocol):
    """What lets messages wait for limits: the part of the queue of an event that the state database needs."""

    def turned(self, receipt: str | None) -> bool:
        """Whether a message has waited for its limits, and its turn has come."""

    def wait(self, waiting: Sequence[tuple[str, str, str]]) -> None:
        """Let messages wait for limits: each with the limit, its receipt and payload id."""


class LimitedClaims:
    """Claims within the limits of one deployment; `rows` reads rows by payload ids."""

    def __init__(
        self,
        slots: Slots,
        waiting: Waiting,
        tables: Tables,
        say: Statements,
        rows: Rows,
        chance: Callable[[], int],
    ) -> None:
        self._slots = slots
        self._waiting = waiting
        self._tables = tables
        self._say = say
        self._rows = rows
        self._chance = chance

    def claim(self, claims: Mapping[int, Claim]) -> dict[int, bool | None]:
        """Claim in one transaction with what counts in the limits, as many at once as have room; the others wait."""
        answers: dict[int, bool | None] = {}
        left = {n: one for n, one in claims.items() if one.previous is None or one.previous.state not in RUNNING}
        buried: set[int] = set()
        for _ in range(_ROUNDS):
            left = {n: one for n, one in left.items() if n not in answers}
            if not left:
                break
            some = dict(islice(left.items(), _MOST))
            answers |= self._try(some, buried)
        left = {n: one for n, one in left.items() if n not in answers}
        if left:
            raise StoreError(f"{len(left)} payloads could not be claimed: too many others change their limits just now")
        return {n: answers.get(n, False) for n in claims}

    def _try(self, claims: Mapping[int, Claim], buried: set[int]) -> dict[int, bool | None]:
        """What became of these claims, as far as it is clear; `buried` are those whose rows are tombstones."""
        turned = [self._waiting.turned(one.receipt) for one in claims.values()]
        at = max(one.at for one in claims.values())
        waits, taking = self._slots.room([one.payload_id for one in claims.values()], turned, at)
        over = {n: name for n, name in zip(claims, waits, strict=True) if name is not None}
        self._let_wait([(name, claims[n]) for n, name in over.items()])
        answers: dict[int, bool | None] = dict.fromkeys(over)
        begun = {n: one for n, one in claims.items() if n not in over}
        if not begun:
            return answers
        tokens = {n: f"{self._chance():016x}" for n in begun}
        said = [
            (self._say.revive if n in buried else self._say.claim)(one, tokens[n], self._slots.names(one.payload_id))
            for n, one in begun.items()
        ]
        token = f"{self._chance():016x}{self._chance():016x}"
        could = self._tables.execute_all("claim payloads", [*said, *self._slots.take(taking)], token)
        if not could:
            return answers | dict.fromkeys(begun, True)
        refused = [n for n, one in zip(begun, could, strict=False) if not one]
        rows = self._rows([begun[n].payload_id for n in refused]) if refused else {}
        for n in refused:
            row = rows.get(begun[n].payload_id, {})
            if begun[n].previous is None and row and not rows_of.alive(row) and n not in buried:
                buried.add(n)
            else:
                answers[n] = False
        return answers

    def _let_wait(self, waiting: Sequence[tuple[str, Claim]]) -> None:
        if waiting:
            self._waiting.wait([(name, str(one.receipt), one.payload_id) for name, one in waiting])
