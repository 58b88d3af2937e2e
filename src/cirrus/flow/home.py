"""A deployment as the use cases see it: its ports, its workflows, its clock."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from cirrus.core.execution_id import LOCAL, Arns
from cirrus.core.instant import SECOND
from cirrus.core.throttle import Throttle
from cirrus.ports.bell import Bell, Silent
from cirrus.ports.callbacks import Callbacks
from cirrus.ports.campaigns import Campaigns
from cirrus.ports.engine import Engine
from cirrus.ports.journal import Journal
from cirrus.ports.objects import Objects
from cirrus.ports.outbox import Outbox
from cirrus.ports.parameters import Parameters
from cirrus.ports.payloads import Payloads
from cirrus.ports.queue import Queue
from cirrus.ports.retention import Policy, Retention
from cirrus.ports.state_db import StateDb
from cirrus.ports.target import Target
from cirrus.ports.unit import Unit


class Workflows(Protocol):
    """The project's workflows, as they stand now."""

    def names(self) -> list[str]:
        """Their names, sorted."""

    def definition(self, name: str) -> bytes:
        """A state machine as JSON text, its tasks named by ARN. NotFound, or InvalidDefinition with every finding."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much at once, and for how long.

    `unseen` is how long after it was queued a message may not be found in the queue yet. It, `lease` and `drain`
    (None: as long as it takes) are in microseconds, `running_bytes` and `batch_bytes` in bytes, the rest counts.
    """

    lease: int = 30 * SECOND
    running: int = 500
    running_bytes: int = 256_000_000
    batch: int = 200
    batch_bytes: int = 32 << 20
    message_attempts: int = 5
    delivery_attempts: int = 8
    drain: int | None = None
    unseen: int = 5 * SECOND


@dataclass(frozen=True, slots=True)
class Home:
    """One deployment. `clock` gives microseconds since the epoch, `chance` 63 random bits: both read at the edge.

    `steady` is the clock that leases and pauses are counted on, in microseconds. It is the same for all who share the
    deployment; where they share one machine, nobody sets it.

    `buckets` are the folders or stores that names of buckets stand for in state machines. `limits` are those of
    one control process, `throttle` those of all together; `policy` says how long things are kept. `engine` runs the
    workflows where that is not done by control processes of ours; `arns` names state machines and executions.
    """

    name: str
    state_db: StateDb
    queue: Queue
    payloads: Payloads
    journal: Journal
    callbacks: Callbacks
    outbox: Outbox
    retention: Retention
    campaigns: Campaigns
    unit: Unit
    objects: Objects
    parameters: Parameters
    workflows: Workflows
    targets: Mapping[str, Target]
    clock: Callable[[], int]
    steady: Callable[[], int]
    chance: Callable[[], int]
    changes: Callable[[], int]
    root: str = "cirrus"
    buckets: Mapping[str, str] = field(default_factory=dict)
    limits: Limits = Limits()
    throttle: Throttle = field(default_factory=Throttle)
    bell: Bell = field(default_factory=Silent)
    policy: Policy = field(default_factory=Policy)
    engine: Engine | None = None
    arns: Arns = LOCAL
