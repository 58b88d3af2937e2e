"""The outbox: what must be sent because of a decision, written with it and delivered afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from cirrus.core.instant import SECOND
from cirrus.core.lease import Lease


@dataclass(frozen=True, slots=True)
class Subscriptions:
    """Which targets get workflow events, and which get the output Items."""

    events: tuple[str, ...] = ()
    items: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Delivery:
    """One thing to send.

    `kind` is `event` (a JSON body), `items` (the output payload whose Items are published) or `message` (what a
    workflow sends to a queue or topic: {"to", "body", "attributes"}).
    """

    id: int
    target: str
    kind: str
    payload_id: str
    body: bytes
    attempts: int


@dataclass(frozen=True, slots=True)
class Attempted:
    """What became of a delivery: sent at `at`, or failed with `error` and due again at `again` (None: parked).

    One that was not `tried` is put off without being counted.
    """

    id: int
    at: int
    error: str | None = None
    again: int | None = None
    tried: bool = True


@dataclass(frozen=True, slots=True)
class Ledger:
    """How many deliveries of a target wait, were sent, and are parked with which last error."""

    target: str
    waiting: int
    sent: int
    parked: int
    last_error: str | None


@dataclass(frozen=True, slots=True)
class Entered:
    """One delivery as the ledger has it: `sent` and `parked` say when, `error` is the last one, `due` the next try.

    It is 0 for as soon as can be. All instants in microseconds since the epoch.
    """

    id: int
    target: str
    kind: str
    payload_id: str
    attempts: int
    due: int
    error: str | None = None
    sent: int | None = None
    parked: int | None = None

    @property
    def state(self) -> str:
        """`sent`, `parked` or `waiting`."""
        return "sent" if self.sent is not None else "waiting" if self.parked is None else "parked"


LONGEST = 3600 * SECOND
"""How long a delivery is put off at most; one that is put off for longer was, before the clock was set back."""

STATES = ("waiting", "sent", "parked")


class Outbox(Protocol):
    """Deliveries, in order per target and payload; each ends as sent or parked, and stays on the ledger."""

    def put(self, target: str, kind: str, payload_id: str, body: bytes) -> None:
        """Add a delivery, due at once."""

    def take(self, target: str, limit: int, *, owner: str, now: int, lease: Lease) -> list[Delivery]:
        """Lease the oldest deliveries of a target; none while another owner holds the target.

        `now` is in microseconds since the epoch: what is due by then is taken. One waits as long as an earlier one of
        its payload is put off, and none for longer than LONGEST. However many wait, taking costs what is taken.
        A hold ends with its time, or with the lease of its owner where that is a control process that has one.
        """

    def settle(self, owner: str, attempted: Sequence[Attempted]) -> None:
        """Write down what became of deliveries, and let go of their target."""

    def waiting(self, target: str) -> tuple[int, int | None]:
        """How many deliveries of a target wait, and the instant at which the first is due (None if none waits).

        One behind another of its payload is due no earlier than that.
        """

    def ledger(self) -> list[Ledger]:
        """The state of every target."""

    def entries(
        self,
        *,
        state: str | None = None,
        target: str | None = None,
        payload_id: str | None = None,
        after: int = 0,
        limit: int = 1000,
    ) -> list[Entered]:
        """Deliveries one by one, by their ids; those after the id `after`."""

    def again(self, ids: Sequence[int], at: int) -> set[int]:
        """Let parked deliveries wait again: due at `at`, in their old order, their attempts counted anew.

        Gives those that do. Items stay parked where later ones of the same payload were sent to the target: they would
        put an old version over a new one.
        """

    def drop(self, ids: Sequence[int]) -> set[int]:
        """Take parked deliveries off the ledger, for good; gives those that were."""
