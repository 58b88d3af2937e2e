"""How a state fails: an error name that Retry and Catch match, and a cause for a person."""

from __future__ import annotations

RUNTIME = "States.Runtime"
TIMEOUT = "States.Timeout"
HEARTBEAT_TIMEOUT = "States.HeartbeatTimeout"
DATA_LIMIT = "States.DataLimitExceeded"
QUERY = "States.QueryEvaluationError"
NO_CHOICE = "States.NoChoiceMatched"
INTRINSIC = "States.IntrinsicFailure"
RESULT_PATH = "States.ResultPathMatchFailure"
TASK_FAILED = "States.TaskFailed"
ITEM_READER = "States.ItemReaderFailed"
RESULT_WRITER = "States.ResultWriterFailed"
TOLERATED = "States.ExceedToleratedFailureThreshold"
ALL = "States.ALL"

RESERVED = frozenset(
    {
        ALL,
        DATA_LIMIT,
        TOLERATED,
        HEARTBEAT_TIMEOUT,
        "States.Http.Socket",
        INTRINSIC,
        ITEM_READER,
        NO_CHOICE,
        "States.ParameterPathFailure",
        "States.Permissions",
        QUERY,
        RESULT_PATH,
        RESULT_WRITER,
        RUNTIME,
        TASK_FAILED,
        TIMEOUT,
        "States.BranchFailed",
        "States.ExecutionLimitExceeded",
    }
)

CAUSE_LIMIT = 32_768


class Failure(Exception):
    """A state failed with `error` and `cause`; `field` names the JSONata field whose evaluation failed.

    With `placed` the step puts the state and its event in front of the cause, as AWS words it. Retry and Catch know
    the failure by the name `also` as well.
    """

    def __init__(
        self, error: str, cause: str | None, *, placed: bool = True, field: str | None = None, also: str | None = None
    ) -> None:
        super().__init__(error, cause)
        self.error = error
        self.cause = cause
        self.placed = placed
        self.field = field
        self.names = (error,) if also is None else (error, also)


def runtime(cause: str) -> Failure:
    """The failure of a definition that does not fit its data."""
    return Failure(RUNTIME, cause)
