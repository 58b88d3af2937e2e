"""The composition root of a deployment on AWS: its variables in, its ports out.

Functions import this instead of `app`: nothing here or behind it loads what they do not use.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

from cirrus.backends import backend
from cirrus.core.execution_id import Arns
from cirrus.core.instant import SECOND
from cirrus.core.throttle import Throttle
from cirrus.flow.home import Home, Limits, Workflows
from cirrus.ports.objects import Objects
from cirrus.ports.outbox import Subscriptions
from cirrus.ports.parameters import Parameters
from cirrus.ports.target import Target
from cirrus.variables import Variables

EVENTS, ITEMS, QUEUE, KEPT = "events", "items", "queue", "kept-events"
_UNSEEN = 300 * SECOND  # counts of a queue of SQS come right within a minute or so


@lru_cache(maxsize=16)
def _of_table(clients: Any, table: str) -> Any:
    """One for all calls of a function: it is asked once."""
    return backend("vocabulary", "aws")(backend("tables", "aws")(clients), table)


@lru_cache(maxsize=16)
def _held(clients: Any, table: str | None) -> Any:
    """One for all calls of a function: pauses are not asked for with each message."""
    return backend("pauses", "aws")(backend("tables", "aws")(clients), table)


@dataclass(frozen=True, slots=True)
class Deployed:
    """A deployment's clients and variables, from which homes are made for one piece of work after another.

    `declared` has the `workflows` and what their `tasks` declare, where functions know that.
    """

    variables: Variables
    clients: Any
    name: str = "aws"
    clock: Callable[[], int] = lambda: time.time_ns() // 1000
    chance: Callable[[], int] = lambda: secrets.randbits(63)
    declared: Mapping[str, Any] = field(default_factory=dict)

    def slots(self) -> Any:
        """The limits of workflows and collections, kept where there is a table for them."""
        tables = backend("tables", "aws")(self.clients)
        return backend("slots", "aws")(tables, self.variables.outbox_table, self.variables.throttle)

    def queue(self) -> Any:
        """The deployment's queue."""
        where, slots = self.variables, self.slots()
        tables = backend("tables", "aws")(self.clients)
        return backend("queue", "aws")(
            self.clients,
            where.process_queue_url,
            self.payloads(),
            bulk=where.bulk_queue_url,
            dead=where.dead_queue_url,
            held=_held(self.clients, where.outbox_table),
            turns=backend("turns", "aws")(tables, where.outbox_table, slots) if where.outbox_table else None,
            root=where.payload_root,
        )

    def payloads(self) -> Any:
        """The deployment's payload store."""
        return backend("payloads", "aws")(self.clients, self.variables.payload_bucket)

    def attention(self) -> Any:
        """The sparse index of the table of records, whether or not it is kept."""
        where = self.variables
        on = where.attention_index is not None
        return backend("attention", "aws")(self.clients, where.state_db, where.outbox_table, on=on)

    def vocabulary(self) -> Any:
        """Who knows its word for a good end: what it says itself, or else its table."""
        said = self.variables.vocabulary
        return backend("vocabulary", "said")(said) if said else _of_table(self.clients, self.variables.state_db)

    @property
    def arns(self) -> Arns:
        """How its state machines and executions are named."""
        return Arns(self.variables.base_workflow_arn)

    def home(
        self,
        *,
        event: Any = None,
        call: str = "",
        objects: Objects | None = None,
        parameters: Parameters | None = None,
        checked: bool = False,
    ) -> Home:
        """The ports: for the messages of an `event`, where that is given, with the name of the `call`.

        With `checked`, for operators, payloads that are queued are held against the workflows that are deployed, and
        what is to be sent is left to the sweeper.
        """
        where, payloads = self.variables, self.payloads()
        queue = self.queue()
        inside = queue if event is None else backend("queue", "aws-event")(queue, event, call)
        tables = backend("tables", "aws")(self.clients)
        root = where.payload_root
        keeps_sent = where.keep_deliveries is not None and where.outbox_table is not None
        outbox = backend("outbox", "aws")(
            tables,
            where.outbox_table,
            payloads,
            state_table=where.state_db,
            root=root,
            targets=(EVENTS, ITEMS, QUEUE, KEPT),
            sent=backend("sent", "aws")(tables, where.outbox_table, where.delivery_age) if keeps_sent else None,
            **({"grace": 0, "keep_all": True} if checked else {}),
        )
        engine = backend("engine", "aws")(self.clients, self.arns, payloads, root)
        targets = self._targets()
        kept = None
        if where.keep_events and where.outbox_table:
            kept = targets[KEPT] = backend("kept_events", "aws")(tables, where.outbox_table, where.event_age)
        namespace = where.metric_namespace
        metrics = backend("metrics", "aws")(self.clients, namespace) if namespace else None
        state_db = backend("state_db", "aws")(
            tables,
            where.state_db,
            outbox,
            payloads,
            inside,
            engine=engine,
            arns=self.arns,
            chance=self.chance,
            subscriptions=Subscriptions(
                events=tuple(name for name in (EVENTS, KEPT) if name in targets),
                items=(ITEMS,) if ITEMS in targets else (),
            ),
            vocabulary=self.vocabulary(),
            metrics=metrics,
            remove=payloads.remove,
            root=root,
            ages=where.ages,
            attention=self.attention(),
            kept=kept,
            slots=self.slots(),
            waiting=None if event is None else inside,
            uses=backend("uses", "aws")(tables, where.outbox_table) if where.lineage and where.outbox_table else None,
        )
        queue.announce = state_db.note
        queue.unsent = lambda: outbox.waiting(QUEUE)[0]
        priorities = state_db.priorities if where.bulk_queue_url else None
        targets[QUEUE] = backend("target", "aws-queue")(queue, self.clock, priorities)
        stated = backend("workflows", "stated")(self.declared.get("workflows", {}))
        workflows: Workflows = backend("workflows", "aws")(engine) if checked else stated
        return Home(
            name=self.name,
            state_db=state_db,
            queue=inside,
            payloads=payloads,
            journal=backend("journal", "aws")(self.clients, engine),
            callbacks=backend("callbacks", "aws")(self.clients),
            outbox=outbox,
            campaigns=backend("campaigns", "aws")(tables, where.outbox_table, outbox, where.state_db),
            unit=backend("unit", "aws")(),
            retention=backend("retention", "aws")(),
            parameters=parameters or backend("parameters", "stated")(self.declared.get("tasks", {})),
            objects=objects or backend("objects", "aws")(self.clients),
            workflows=workflows,
            targets=targets,
            clock=self.clock,
            steady=self.clock,
            chance=self.chance,
            changes=lambda: 0,
            root=root,
            throttle=where.throttle if checked else Throttle(),
            limits=replace(Limits(), lease=where.lease, unseen=_UNSEEN),
            engine=engine,
            arns=self.arns,
        )

    def _targets(self) -> dict[str, Target]:
        where = self.variables
        targets: dict[str, Target] = {}
        for name, arn in ((EVENTS, where.event_topic_arn), (ITEMS, where.publish_topic_arn)):
            if arn:
                targets[name] = backend("target", "aws-topic")(self.clients, arn, vocabulary=self.vocabulary())
        if where.metric_namespace:
            counted = backend("target", "aws-counted")
            targets[EVENTS] = counted(targets.get(EVENTS), where.metric_namespace)
        return targets
