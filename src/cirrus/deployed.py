"""The composition root of a deployment on AWS: its variables in, its ports out.

Functions import this instead of `app`: nothing here or behind it loads what they do not use.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from cirrus.backends import backend
from cirrus.core.execution_id import Arns
from cirrus.flow.home import Home, Limits, Workflows
from cirrus.ports.objects import Objects
from cirrus.ports.outbox import Subscriptions
from cirrus.ports.parameters import Checked, Parameters
from cirrus.ports.target import Target
from cirrus.variables import Variables

EVENTS, ITEMS, QUEUE = "events", "items", "queue"


class Unread:
    """Workflows that are not looked at: that one is missing is found out when it is started."""

    def names(self) -> list[str]:
        """None."""
        return []

    def definition(self, name: str) -> bytes:
        """Nothing."""
        return b""


class Undeclared:
    """Parameters of tasks that are not checked: functions know nothing of the tasks that they start."""

    def check(self, definition: bytes, tasks: Mapping[str, Any]) -> Checked:
        """Nothing is wrong."""
        return Checked()

    def schema(self, definition: bytes) -> dict[str, Any]:
        """A schema that takes anything."""
        return {}


@dataclass(frozen=True, slots=True)
class Deployed:
    """A deployment's clients and variables, from which homes are made for one piece of work after another."""

    variables: Variables
    clients: Any
    name: str = "aws"
    clock: Callable[[], int] = lambda: time.time_ns() // 1000
    chance: Callable[[], int] = lambda: secrets.randbits(63)

    def queue(self) -> Any:
        """The deployment's queue."""
        where = self.variables
        return backend("queue", "aws")(
            self.clients,
            where.process_queue_url,
            self.payloads(),
            bulk=where.bulk_queue_url,
            dead=where.dead_queue_url,
            root=where.payload_root,
        )

    def payloads(self) -> Any:
        """The deployment's payload store."""
        return backend("payloads", "aws")(self.clients, self.variables.payload_bucket)

    @property
    def arns(self) -> Arns:
        """How its state machines and executions are named."""
        return Arns(self.variables.base_workflow_arn)

    def home(
        self,
        *,
        event: Any = None,
        objects: Objects | None = None,
        parameters: Parameters | None = None,
        checked: bool = False,
    ) -> Home:
        """The ports: for the messages of an `event`, where that is given.

        With `checked`, for operators, payloads that are queued are held against the workflows that are deployed, and
        what is to be sent is left to the sweeper.
        """
        where, payloads = self.variables, self.payloads()
        queue = self.queue()
        inside = queue if event is None else backend("queue", "aws-event")(queue, event)
        tables = backend("tables", "aws")(self.clients)
        root = where.payload_root
        outbox = backend("outbox", "aws")(
            tables,
            where.outbox_table,
            payloads,
            state_table=where.state_db,
            root=root,
            **({"grace": 0, "keep_all": True} if checked else {}),
        )
        engine = backend("engine", "aws")(self.clients, self.arns, payloads, root)
        targets = self._targets()
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
                events=(EVENTS,) if EVENTS in targets else (), items=(ITEMS,) if ITEMS in targets else ()
            ),
            vocabulary=backend("vocabulary", "aws")(where.vocabulary),
            metrics=metrics,
            remove=payloads.remove,
            root=root,
        )
        queue.announce = state_db.note
        priorities = state_db.priorities if where.bulk_queue_url else None
        targets[QUEUE] = backend("target", "aws-queue")(queue, self.clock, priorities)
        workflows: Workflows = backend("workflows", "aws")(engine) if checked else Unread()
        return Home(
            name=self.name,
            state_db=state_db,
            queue=inside,
            payloads=payloads,
            journal=backend("journal", "aws")(self.clients, engine),
            callbacks=backend("callbacks", "aws")(self.clients),
            outbox=outbox,
            campaigns=backend("campaigns", "aws")("campaigns", "pipe `get-payloads --rerun` into `process`"),
            unit=backend("unit", "aws")(),
            retention=backend("retention", "aws")(),
            parameters=parameters or Undeclared(),
            objects=objects or backend("objects", "aws")(self.clients),
            workflows=workflows,
            targets=targets,
            clock=self.clock,
            chance=self.chance,
            changes=lambda: 0,
            root=root,
            limits=replace(Limits(), lease=where.lease),
            engine=engine,
            arns=self.arns,
        )

    def _targets(self) -> dict[str, Target]:
        where = self.variables
        targets: dict[str, Target] = {}
        for name, arn in ((EVENTS, where.event_topic_arn), (ITEMS, where.publish_topic_arn)):
            if arn:
                targets[name] = backend("target", "aws-topic")(self.clients, arn, good=where.vocabulary)
        if where.metric_namespace:
            counted = backend("target", "aws-counted")
            targets[EVENTS] = counted(targets.get(EVENTS), where.metric_namespace)
        return targets
