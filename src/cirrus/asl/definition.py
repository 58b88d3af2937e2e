"""A state machine, compiled: immutable, its paths and templates closures, its names resolved.

Every `Evaluate` is a function of (data, environment). Under JSONata the data is ignored: expressions read
`$states` from the environment.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

Evaluate = Callable[[Any, Any], Any]
Place = Callable[[Any, Any], Any]


@dataclass(frozen=True, slots=True, eq=False)
class Assign:
    """Values for variables; evaluated together, then set together."""

    evaluate: Evaluate
    parts: int


@dataclass(frozen=True, slots=True, eq=False)
class Retrier:
    """Try again after errors that match."""

    errors: tuple[str, ...]
    interval: float
    attempts: int
    rate: float
    longest: float | None
    jitter: bool


@dataclass(frozen=True, slots=True, eq=False)
class Catcher:
    """Go on elsewhere after errors that match."""

    errors: tuple[str, ...]
    next: str
    place: Place | None
    output: Evaluate | None
    assign: Assign | None


@dataclass(frozen=True, slots=True, eq=False)
class State:
    """What all states have. `read` is InputPath, `shape` Parameters or Arguments, `select` ResultSelector, `place`
    ResultPath, `write` OutputPath or Output; None where the state leaves its data as they are. `opaque` says that
    the state never looks inside its input, which may then stay a Text.
    """

    name: str
    type: str
    next: str | None
    jsonata: bool
    read: Evaluate | None = None
    shape: Evaluate | None = None
    select: Evaluate | None = None
    place: Place | None = None
    write: Evaluate | None = None
    assign: Assign | None = None
    retry: tuple[Retrier, ...] = ()
    catch: tuple[Catcher, ...] = ()
    parts: int = 0
    opaque: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class PassState(State):
    """Gives its input or `result` on."""

    has_result: bool = False
    result: Any = None


@dataclass(frozen=True, slots=True, eq=False)
class TaskState(State):
    """Has a resource do something; `opaque_result` says that the state never looks inside what that gives.

    A `plain` one gives a function its input and lets the function's result go on, both unseen, and that is all.
    """

    resource: str = ""
    kind: str = ""
    timeout: Evaluate | None = None
    heartbeat: Evaluate | None = None
    role: Evaluate | None = None
    waits_for_token: bool = False
    opaque_result: bool = False
    plain: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class ChoiceRule:
    """Where to go if `test` says so."""

    test: Callable[[Any, Any], bool]
    next: str
    write: Evaluate | None
    assign: Assign | None


@dataclass(frozen=True, slots=True, eq=False)
class ChoiceState(State):
    """Goes where the first rule that holds says."""

    rules: tuple[ChoiceRule, ...] = ()
    default: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class WaitState(State):
    """Waits until what `until(data, environment)` says."""

    until: Evaluate = field(default=lambda data, env: 0.0)


@dataclass(frozen=True, slots=True, eq=False)
class FailState(State):
    """Ends with an error."""

    error: Evaluate | None = None
    cause: Evaluate | None = None


@dataclass(frozen=True, slots=True, eq=False)
class ParallelState(State):
    """Runs every branch on the same input."""

    branches: tuple[Scope, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Reader:
    """Where a distributed Map gets its items."""

    kind: str
    resource: str
    parameters: Evaluate
    config: Evaluate


@dataclass(frozen=True, slots=True, eq=False)
class Writer:
    """Where a distributed Map puts its results."""

    kind: str
    resource: str
    parameters: Evaluate | None
    config: Mapping[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class Batcher:
    """How a distributed Map bundles its items."""

    count: Evaluate | None
    size: Evaluate | None
    input: Evaluate | None


@dataclass(frozen=True, slots=True, eq=False)
class MapState(State):
    """Runs the processor once for each item."""

    processor: Scope | None = None
    items: Evaluate | None = None
    item: Evaluate | None = None
    concurrency: Evaluate | None = None
    tolerated_count: Evaluate | None = None
    tolerated_percentage: Evaluate | None = None
    distributed: bool = False
    express: bool = False
    label: str = ""
    reader: Reader | None = None
    writer: Writer | None = None
    batcher: Batcher | None = None
    item_parts: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Scope:
    """A machine, a branch or a processor: its states and where it starts."""

    start: str
    states: Mapping[str, State]


@dataclass(frozen=True, slots=True, eq=False)
class Machine:
    """A compiled definition.

    `resources` holds (pointer of the state, resource): each Task's Resource, and where it names its function or
    job definition literally, that. `data_limit` is the most bytes that one state may take or give.
    """

    scope: Scope
    type: str
    timeout: float | None
    comment: str
    resources: tuple[tuple[str, str], ...]
    definition: Mapping[str, Any]
    data_limit: int

    @property
    def express(self) -> bool:
        """Whether it is an EXPRESS machine."""
        return self.type == "EXPRESS"
