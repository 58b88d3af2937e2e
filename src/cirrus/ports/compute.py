"""Where task attempts run: outside the control process, each kept apart from the next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

SOURCES = "sources"


@dataclass(frozen=True, slots=True)
class TaskSpec:
    """A task of the project: exactly one of `handler` ("module:Name") and `command` is given; `timeout` in seconds.

    `params` is the name under which the payload's `tasks` map holds this task's parameters, where it is not the
    Task class's own `name`. `concurrency` is the most attempts at once, None for no limit of its own. `memory` in
    bytes is what an attempt may use with its child processes: one that uses more fails with `Runtime.OutOfMemory`.
    An `inline` task is a function that runs in the control process, without a time limit. `buckets` are the declared
    buckets that it may use, beside that of the data store. The last five are for AWS: with `cpu` (virtual cores),
    `gpu` or `spot` it is a job of Batch there; `policies` are ARNs.
    """

    name: str
    handler: str | None = None
    command: tuple[str, ...] | None = None
    timeout: float | None = None
    concurrency: int | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    params: str | None = None
    memory: int | None = None
    inline: bool = False
    buckets: tuple[str, ...] = ()
    cpu: float | None = None
    gpu: int | None = None
    spot: bool = False
    image: str | None = None
    policies: tuple[str, ...] = ()


@dataclass(slots=True)  # not frozen: see CONTRIBUTING
class Attempt:
    """One attempt at a task: `payload` is the JSON text of its input, `id` is unique among all attempts.

    `timeout` is the state's, in seconds; the shorter one of it and the task's own holds, from the start of the attempt.
    `context` holds strings that a task can read from its environment as CIRRUS_<NAME>: payload_id, execution_id,
    workflow, state, attempt. SOURCES among them, the JSON of the [id, href or null] of each Item that the execution was
    given, is for `cirrus.tasks.kit` alone.
    """

    id: str
    task: str
    payload: bytes
    timeout: float | None = None
    context: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)  # not frozen: see CONTRIBUTING
class Outcome:
    """What became of an attempt: `output` (JSON text) if it succeeded, else `error` (a name) and `cause`.

    `cause` is JSON text with errorMessage, errorType and stackTrace, as Lambda reports a failed function. `started`
    and `ended` are seconds since the epoch. `log` is what the attempt printed (stdout and stderr together, bounded:
    a line in the middle says how many bytes were left out).
    """

    id: str
    output: bytes | None
    error: str | None
    cause: str | None
    log: bytes
    started: float
    ended: float


class Compute(Protocol):
    """Runs attempts; every submitted attempt comes back from `collect` exactly once, unless `close` came first.

    One that takes longer than its task's limit has the error `Sandbox.Timedout`, than its state's `States.Timeout`.
    """

    def submit(self, attempts: Sequence[Attempt]) -> None:
        """Take attempts in; they wait for a free worker and for their task's concurrency limit, in order."""

    def collect(self, timeout: float) -> list[Outcome]:
        """The outcomes that have come since the last call; waits up to `timeout` seconds for the first one."""

    def hold(self, seconds: float) -> None:
        """No attempt starts later than `seconds` after the last `collect` returned, until the next call.

        So a control process that was stopped while it slept starts nothing that others may have taken over. Without
        a call there is no such limit.
        """

    def cancel(self, attempt_id: str) -> None:
        """Stop an attempt, its child processes too; its outcome has the error `Cirrus.Cancelled`."""

    def running_logs(self) -> dict[str, bytes]:
        """What each running attempt has printed since the last call, by attempt id."""

    def in_flight(self) -> int:
        """How many attempts have been submitted and not yet collected."""

    def room(self) -> int:
        """How many more attempts to submit now: so many that nothing is idle, so few that the last one begins soon.

        An advice; `submit` takes any number.
        """

    def wakeup(self) -> None:
        """Make a `collect` that waits in another thread, or is about to, return at once; safe in a signal handler."""

    def close(self) -> None:
        """Stop every worker process and wait for it; attempts that have not been collected are dropped."""
