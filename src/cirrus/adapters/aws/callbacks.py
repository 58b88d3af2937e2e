"""Task tokens and activities on AWS: Step Functions keeps them, and what operators answer goes there."""

from __future__ import annotations

from typing import Any

from cirrus.adapters.aws.clients import Clients
from cirrus.adapters.aws.faults import code, reported
from cirrus.errors import ConfigError, NotFound, StoreError
from cirrus.ports.callbacks import Waiting

_GONE = frozenset({"InvalidToken", "TaskDoesNotExist", "TaskTimedOut"})


class StepFunctionsCallbacks:
    """Answers tasks that wait; what a control process needs of the port is refused with ConfigError."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    def __getattr__(self, name: str) -> Any:
        raise ConfigError("AWS", [f"callbacks.{name}: the workflows of a deployment on AWS are run by Step Functions"])

    def answer(self, token: str, kind: str, output: bytes | None, error: str | None, cause: str | None) -> None:
        """Give a waiting task its answer. NotFound if no task waits for it (any more)."""
        client = self._clients("stepfunctions")
        try:
            with reported("answer a task that waits"):
                if kind == "success":
                    client.send_task_success(taskToken=token, output=(output or b"null").decode())
                elif kind == "heartbeat":
                    client.send_task_heartbeat(taskToken=token)
                else:
                    told = {"error": error, "cause": cause}
                    client.send_task_failure(taskToken=token, **{name: text for name, text in told.items() if text})
        except StoreError as failure:
            if code(failure.__cause__) in _GONE:
                raise NotFound("waiting task of token", f"{token[:12]}…") from None
            raise

    def next_activity(self, activity: str) -> Waiting | None:
        """The oldest task of an activity that no worker has been given; it is given now."""
        with reported(f"ask for a task of {activity}"):
            answer = self._clients("stepfunctions").get_activity_task(activityArn=activity)
        token = answer.get("taskToken")
        return Waiting(token, "", "", activity, answer["input"].encode()) if token else None
