"""A whole home in memory, with a clock that moves when told, and a control process that takes one turn at a time."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from random import Random
from typing import Any

from cirrus import asl
from cirrus.adapters.memory.callbacks import MemoryCallbacks
from cirrus.adapters.memory.campaigns import MemoryCampaigns
from cirrus.adapters.memory.compute import Function, MemoryCompute
from cirrus.adapters.memory.journal import MemoryJournal
from cirrus.adapters.memory.objects import MemoryObjects
from cirrus.adapters.memory.outbox import MemoryOutbox
from cirrus.adapters.memory.parameters import NoParameters
from cirrus.adapters.memory.payloads import MemoryPayloads
from cirrus.adapters.memory.queue import MemoryQueue
from cirrus.adapters.memory.retention import MemoryRetention
from cirrus.adapters.memory.state_db import MemoryStateDb
from cirrus.adapters.memory.store import Store
from cirrus.core.throttle import Throttle
from cirrus.errors import NotFound
from cirrus.flow.drive import Driver
from cirrus.flow.home import Home, Limits
from cirrus.flow.process import process
from cirrus.flow.turn import Overtaken, Turn
from cirrus.ports.compute import Outcome
from cirrus.ports.objects import Objects
from cirrus.ports.outbox import Subscriptions
from cirrus.ports.parameters import Parameters
from cirrus.ports.retention import Policy
from cirrus.ports.target import Target
from cirrus.testing.builders import AT

BOOTED = 1_000_000_000
FUNCTION = "arn:aws:lambda:local:000000000000:function:"


class Clock:
    """Microseconds since the epoch that pass only when told."""

    def __init__(self, at: int = AT) -> None:
        self.at = at
        self._passed = 0

    def __call__(self) -> int:
        return self.at

    def steady(self) -> int:
        """The clock of leases, on which time only passes."""
        return BOOTED + self._passed

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.turn(seconds)
        self._passed += round(seconds * 1_000_000)

    def turn(self, seconds: float) -> None:
        """Set the clock forward, or back; no time passes."""
        self.at += round(seconds * 1_000_000)


class Definitions:
    """Workflows by name, each the document of a state machine."""

    def __init__(self, documents: Mapping[str, Any]) -> None:
        self._texts = {name: json.dumps(document).encode() for name, document in documents.items()}

    def names(self) -> list[str]:
        """Their names, sorted."""
        return sorted(self._texts)

    def definition(self, name: str) -> bytes:
        """A state machine as JSON text. NotFound, or InvalidDefinition with every finding."""
        if name not in self._texts:
            raise NotFound("workflow", name)
        asl.parse(self._texts[name])
        return self._texts[name]


def task(name: str, **more: Any) -> dict[str, Any]:
    """A Task state that calls a task of the project, the last of its state machine unless `Next` is given."""
    return {"Type": "Task", "Resource": FUNCTION + name} | ({} if "Next" in more else {"End": True}) | more


def machine(*names: str, **states: Any) -> dict[str, Any]:
    """A state machine: these tasks one after the other, or these states, the first of which begins."""
    for number, name in enumerate(names, 1):
        states[name] = task(name, **({"Next": names[number]} if number < len(names) else {}))
    return {"StartAt": next(iter(states)), "States": states}


def make_home(
    workflows: Mapping[str, Any],
    *,
    store: Store | None = None,
    clock: Clock | None = None,
    targets: Mapping[str, Target] | None = None,
    subscriptions: Subscriptions | None = None,
    objects: Objects | None = None,
    parameters: Parameters | None = None,
    limits: Limits | None = None,
    throttle: Throttle | None = None,
    policy: Policy | None = None,
) -> Home:
    """A home over a store; two homes over one store are two views of the same deployment."""
    store, clock = store or Store(), clock or Clock()
    state_db = MemoryStateDb(store, subscriptions)
    queue = MemoryQueue(store, state_db)
    return Home(
        name="test",
        state_db=state_db,
        queue=queue,
        payloads=MemoryPayloads(store, "test", clock),
        journal=MemoryJournal(store),
        callbacks=MemoryCallbacks(store),
        outbox=MemoryOutbox(store),
        retention=MemoryRetention(store),
        campaigns=MemoryCampaigns(store, queue),
        unit=store,
        objects=objects or MemoryObjects(),
        parameters=parameters or NoParameters(),
        workflows=Definitions(workflows),
        targets=targets or {},
        clock=clock,
        steady=clock.steady,
        chance=partial(Random(7).getrandbits, 63),
        changes=store.commits,
        limits=limits or Limits(),
        throttle=Throttle() if throttle is None else throttle,
        policy=policy or Policy(),
    )


class Control:
    """A control process that does one turn when told; it dies when it is dropped."""

    def __init__(self, home: Home, tasks: Mapping[str, Function], owner: str = "o") -> None:
        self.home = home
        self.owner = owner
        self.compute = MemoryCompute(tasks)
        self.driver = Driver(home, self.compute, tasks, owner)

    def turn(self, *, adopt: bool = False, limit: int = 100) -> Turn:
        """Run what waits, and decide what it leads to, in one transaction; undone where executions were lost."""
        outcomes = self.compute.collect(0)
        try:
            turn = self._decide(outcomes, adopt, limit)
        except Overtaken as gone:
            self.driver.drop(gone.execution_ids)
            self.home.state_db.note(gone.events)
            return Turn(lost=gone.execution_ids)
        self.driver.apply(turn, outcomes)
        return turn

    def _decide(self, outcomes: list[Outcome], adopt: bool, limit: int) -> Turn:
        now = self.home.clock()
        lease = self.home.limits.lease
        with self.home.unit.group():
            self.home.journal.beat(self.owner, self.home.steady() + lease)
            adopted = self.home.journal.adopt(self.owner, self.home.steady(), 100) if adopt else []
            turn = self.driver.decide(now, adopted=adopted, outcomes=outcomes)
            taken = self.home.queue.take(
                limit, owner=self.owner, now=now, until=now + lease, throttle=self.home.throttle
            )
            begun = process(self.home, taken, self.owner, now)
            answers = self.home.callbacks.take(self.owner)
            self.driver.write(turn, now, begun=begun, outcomes=outcomes, answers=answers)
            return turn

    def run(self) -> None:
        """Turn until nothing more happens without time passing."""
        while self.turn().entries or self.compute.in_flight() or self.home.queue.depth():
            pass
