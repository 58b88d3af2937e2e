"""What a contract suite is given: a way to connect to one store, as often as it likes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import pytest

from cirrus.core.event import WorkflowEvent
from cirrus.ports.campaigns import Campaigns
from cirrus.ports.journal import Journal
from cirrus.ports.outbox import Outbox, Subscriptions
from cirrus.ports.payloads import Payloads
from cirrus.ports.queue import Queue
from cirrus.ports.retention import Retention
from cirrus.ports.state_db import StateDb
from cirrus.ports.unit import Unit

Answer = TypeVar("Answer")
SUBSCRIPTIONS = Subscriptions(events=("events",), items=("items",))


@dataclass(frozen=True, slots=True)
class Ports:
    """The ports of one home that share a store; one thread uses them at a time."""

    state_db: StateDb
    queue: Queue
    payloads: Payloads
    journal: Journal
    outbox: Outbox
    retention: Retention
    campaigns: Campaigns
    unit: Unit


Connect = Callable[[], Ports]


class PortsContract:
    """Inherit a contract and override `connect`: it makes Ports over one empty store, with SUBSCRIPTIONS.

    Every call of what it gives is a connection of its own to that same store. A home whose workflows run on an engine
    elsewhere says `own_engine = False`: its executions, their bodies and their owners are not kept with the records.
    One whose store has no transactions across calls says `groups = False`, one that forgets deliveries once they are
    sent `keeps_sent = False`, one that keeps no events `keeps_events = False`.
    """

    own_engine = True
    groups = True
    keeps_sent = True
    keeps_events = True

    def told(self, ports: Ports, payload_id: str | None = None) -> list[WorkflowEvent]:
        """Every event so far, oldest first."""
        return [one for _, one in ports.state_db.events(payload_id=payload_id)]

    def forward(self, ports: Ports) -> None:
        """Hand on what ends have queued, in homes where the outbox does that."""

    def need_groups(self) -> None:
        """Skip a test of transactions across calls."""
        if not self.groups:
            pytest.skip("this store has no transactions across calls, and its home needs none")

    def need_sent(self) -> None:
        """Skip a test of what is known of deliveries that were sent."""
        if not self.keeps_sent:
            pytest.skip("this home forgets deliveries once they are sent")

    def need_events(self) -> None:
        """Skip a test of events that were kept."""
        if not self.keeps_events:
            pytest.skip("this home sends events on and keeps none")

    def need_own_engine(self) -> None:
        """Skip a test of what is kept elsewhere."""
        if not self.own_engine:
            pytest.skip("executions and owners of this home are kept by services elsewhere")

    @pytest.fixture
    def connect(self) -> Connect:
        """How to connect."""
        raise NotImplementedError("give a fixture `connect`")

    @pytest.fixture
    def ports(self, connect: Connect) -> Ports:
        """One connection."""
        return connect()


def at_once(jobs: Sequence[Callable[[], Answer]]) -> list[Answer]:
    """What jobs give that begin together, each in a thread of its own."""
    gate = threading.Barrier(len(jobs))
    answers: dict[int, Answer] = {}
    errors: list[BaseException] = []

    def run(number: int, job: Callable[[], Answer]) -> None:
        gate.wait()
        try:
            answers[number] = job()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(jobs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return [answers[number] for number in range(len(jobs))]
