"""What the engine asks of its driver, who must not change the values in a command: they are the state's as well.

Only the output of an End is the driver's own. Where no state looked inside a Text that the driver gave, a command
hands that Text back: as the parameters of a RunTask or their Payload, and as the output of an End.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(slots=True)  # not frozen: see CONTRIBUTING
class RunTask:
    """Run a task and answer with TaskSucceeded or TaskFailed for `ref`.

    `kind` is the integration ("lambda", "lambda:invoke", "activity", "batch:submitJob.sync", ...), `resource` the
    function's ARN for "lambda" and the state's Resource otherwise; `parameters` are what the service takes,
    for "lambda" the function's input itself. `attempt` counts retries of this state. `token` is set where the
    task waits for one. `role` is the ARN of a role to assume.
    """

    ref: int
    kind: str
    resource: str
    parameters: Any
    state: str
    attempt: int
    token: str | None = None
    timeout: float | None = None
    heartbeat: float | None = None
    role: str | None = None


@dataclass(frozen=True, slots=True)
class CancelTask:
    """The outcome of the task is no longer wanted; stop it if that is possible."""

    ref: int


@dataclass(frozen=True, slots=True)
class SetTimer:
    """Answer with TimerFired for `ref` at time `at` (seconds since the epoch) or as soon as it has passed.

    `task` is the RunTask whose time it limits. A driver that has the task wait until there is room for it may leave
    the timer out, and answer that task with a TaskFailed of the error States.Timeout once it has run for so long.
    """

    ref: int
    at: float
    task: int | None = None


@dataclass(frozen=True, slots=True)
class CancelTimer:
    """The timer is no longer wanted."""

    ref: int


@dataclass(frozen=True, slots=True)
class ReadItems:
    """Read the items of a distributed Map; answer with TaskSucceeded, its output the list of items.

    `kind` is "s3:getObject" or "s3:listObjectsV2", `parameters` {Bucket, Key | Prefix, ...} and `config` the
    ReaderConfig with its paths resolved. An output that is a text is read as the config's InputType says.
    """

    ref: int
    kind: str
    parameters: Any
    config: dict[str, Any]
    state: str
    attempt: int


@dataclass(frozen=True, slots=True)
class WriteResults:
    """Write the results of a distributed Map; answer with TaskSucceeded.

    `parameters` are {Bucket, Prefix}, `config` the WriterConfig, `results` one record for each child execution as
    Step Functions writes them; `result_files` makes the files. `label` is the map run's ARN.
    """

    ref: int
    kind: str
    parameters: Any
    config: dict[str, Any]
    results: list[Any]
    state: str
    attempt: int
    label: str


@dataclass(frozen=True, slots=True)
class End:
    """The execution is over: SUCCEEDED with `output`, or FAILED, TIMED_OUT or ABORTED with `error` and `cause`."""

    status: str
    output: Any = None
    error: str | None = None
    cause: str | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """One history event, shaped as in `get_execution_history` with `timestamp` in seconds since the epoch."""

    event: dict[str, Any]


Command = RunTask | CancelTask | SetTimer | CancelTimer | ReadItems | WriteResults | End | Record
