"""What a contract suite is given: a way to connect to one store, as often as it likes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import pytest

from cirrus.ports.journal import Journal
from cirrus.ports.outbox import Outbox, Subscriptions
from cirrus.ports.payloads import Payloads
from cirrus.ports.queue import Queue
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
    unit: Unit


Connect = Callable[[], Ports]


class PortsContract:
    """Inherit a contract and override `connect`: it makes Ports over one empty store, with SUBSCRIPTIONS.

    Every call of what it gives is a connection of its own to that same store.
    """

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
