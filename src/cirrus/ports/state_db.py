"""The state database: one record per payload id, its executions and events; every decision is one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from cirrus.core.event import WorkflowEvent
from cirrus.core.failure_kind import FailureKind
from cirrus.core.record import Record
from cirrus.core.state import State
from cirrus.ports.query import SORTS as SORTS
from cirrus.ports.query import Query as Query
from cirrus.ports.queue import Message


class ItemRef(NamedTuple):
    """An Item by its id and collection (empty for none)."""

    id: str
    collection: str = ""


@dataclass(frozen=True, slots=True)
class ItemUse:
    """An execution that was given an Item, or that `made` it; `current` says that no later one has taken its place."""

    item: ItemRef
    made: bool
    payload_id: str
    execution_id: str
    current: bool


@dataclass(slots=True)  # not frozen: see CONTRIBUTING
class Claim:
    """The wish to run a payload: granted only if its record is still `previous` (None: there is none).

    `input` is the payload's JSON text as it is claimed; `definition` the state machine's, kept with the execution by
    homes whose engine is ours. `receipt` is the message that asked for it: settled if the claim is granted. With
    `owner` the execution starts in the same transaction, owned by that control process: the record is `PROCESSING`.
    `items` are those of the payload. `priority` is the message's; what follows in the chain is queued with it.
    With `redrive`, where an engine elsewhere can do that, the last execution goes on, for the time of that number: it
    is not appended again and keeps its input, and that is granted only if it has not gone on since it was read.
    """

    payload_id: str
    execution_id: str
    previous: Record | None
    at: int
    input: bytes
    definition: bytes = b""
    events: tuple[WorkflowEvent, ...] = ()
    receipt: str | None = None
    owner: str | None = None
    items: tuple[ItemRef, ...] = ()
    priority: int = 0
    redrive: int = 0


@dataclass(frozen=True, slots=True)
class Start:
    """`CLAIMED` becomes `PROCESSING`: the execution runs."""

    payload_id: str
    execution_id: str
    at: int
    events: tuple[WorkflowEvent, ...] = ()
    owner: str | None = None


@dataclass(slots=True)  # not frozen: see CONTRIBUTING
class Conclusion:
    """The end of an execution, with everything that must be sent because of it.

    `output` is the JSON text that the workflow returned; `published` says whether it has Items to publish: `items`, of
    `output_collections`; `next` are the payloads (JSON texts) of the chain to queue; `kind` is
    the kind of a failure. An end that came after so many `redrives` is refused where the execution has gone on since;
    None ends it wherever it is.
    """

    payload_id: str
    execution_id: str
    state: State
    at: int
    last_error: str | None = None
    error: str | None = None
    cause: str | None = None
    outputs: tuple[str, ...] = ()
    output_collections: tuple[str, ...] = ()
    output: bytes | None = None
    published: bool = False
    events: tuple[WorkflowEvent, ...] = ()
    next: tuple[Message, ...] = ()
    items: tuple[ItemRef, ...] = ()
    kind: FailureKind | None = None
    redrives: int | None = None


@dataclass(frozen=True, slots=True)
class Failures:
    """How many records have failed in one way, when the first and the last of them did, and which was the last."""

    kind: FailureKind
    count: int
    first: int
    last: int
    sample: str


@dataclass(frozen=True, slots=True)
class Page:
    """Some records of a query, and the token for the next ones (None at the end).

    A page of a query that searches may hold fewer than were asked for, even none, and yet have a token: a page looks
    at so many records and no more, so that it costs the same whether many match or few.
    """

    records: tuple[Record, ...]
    token: str | None


@dataclass(frozen=True, slots=True)
class Execution:
    """One execution as it is kept; `attempt` counts from 1, instants in microseconds since the epoch."""

    execution_id: str
    payload_id: str
    attempt: int
    status: str
    started: int
    stopped: int | None = None
    error: str | None = None
    cause: str | None = None
    input: bytes = b""
    output: bytes | None = None
    definition: bytes = b""


SLOT = 600 * 1_000_000
KEPT_SLOTS = 61 * 144


def item_refs(items: Iterable[Mapping[str, Any]]) -> tuple[ItemRef, ...]:
    """The references of Items, each once; what has no id is left out."""
    refs = [ItemRef(item["id"], str(item.get("collection") or "")) for item in items if isinstance(item.get("id"), str)]
    return tuple(dict.fromkeys(refs))


class StateDb(Protocol):
    """Records, executions and events.

    Every write is granted or refused on its own, and what is granted is one transaction with its events, its outbox
    and its messages. What cannot be read raises StoreError: it is never taken for 'not there'.
    """

    def get(self, payload_ids: Sequence[str]) -> dict[str, Record]:
        """The records of these ids; one that is missing in the answer does not exist."""

    def claim(self, claims: Sequence[Claim]) -> Sequence[bool | None]:
        """Grant each claim whose record is as it was read; of any number that try at once exactly one wins.

        A granted claim resets `last_error` and `outputs`, stamps `claimed_at` and appends its execution. None where
        this store keeps limits itself, and there is no room: nothing is written, and the message waits for its turn.
        """

    def start(self, starts: Sequence[Start]) -> list[bool]:
        """Mark claimed executions as running; refused where the record has moved on."""

    def conclude(self, conclusions: Sequence[Conclusion]) -> list[bool]:
        """Record ends; refused unless the execution is the current one of its record and has not ended."""

    def note(self, events: Sequence[WorkflowEvent], receipts: Sequence[str] = ()) -> None:
        """Record events that change no record, and settle the messages that they are about."""

    def earlier(self, payload_ids: Sequence[str]) -> dict[str, tuple[str, ...]]:
        """The ids of the executions that deleted records of these payloads had, oldest first: their tombstones.

        They count as earlier executions of a record that is made anew, so that no execution id is ever used twice.
        """

    def forget(self, payload_ids: Sequence[str], at: int) -> list[bool]:
        """Delete records with their executions, histories, logs and events; each leaves a tombstone.

        Refused, on its own, where there is no record or it is running.
        """

    def page(self, query: Query, limit: int, token: str | None = None) -> Page:
        """Up to `limit` records; the token stays valid whatever is written in between. ValueError on a bad token."""

    def count(self, query: Query | None = None) -> dict[str, dict[State, int]]:
        """How many records, of those of a query, are in each state, by `collections_workflow`."""

    def transitions(self, since: int, until: int) -> dict[int, dict[State, int]]:
        """How many records entered each state between two instants, in slots of SLOT microseconds by their beginning.

        The slot in which `since` lies counts whole; what is older than KEPT_SLOTS need not be known any more.
        """

    def failures(self, query: Query) -> list[Failures]:
        """The records of a query that have a kind of failure, grouped by it, the most frequent kind first.

        `sort` and `ascending` mean nothing here.
        """

    def execution(self, execution_id: str, payload_id: str | None = None) -> Execution | None:
        """One execution with its bodies, None if there is none of that id.

        `payload_id` says whose it is, where that is known: homes whose engine is elsewhere need it, or an ARN.
        """

    def uses(self, item_id: str, *, made: bool, limit: int = 100) -> list[ItemUse]:
        """The executions that made an Item of this id, or that were given it; the latest first."""

    def events(
        self, *, payload_id: str | None = None, after: int = 0, limit: int = 1000
    ) -> list[tuple[int, WorkflowEvent]]:
        """Events in the order in which they happened, each with its number; those after number `after`.

        ConfigError where a deployment keeps none.
        """


Counts = Mapping[str, Mapping[State, int]]
