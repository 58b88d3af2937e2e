"""Respond: answer tasks that wait for a token, and hand out the tasks of activities."""

from __future__ import annotations

from typing import Any

from cirrus.core.jsontext import decode, encode
from cirrus.flow.home import Home


def send_task_success(home: Home, token: str, output: Any) -> None:
    """The waiting task succeeded with `output`. NotFound if no task waits under this token."""
    home.callbacks.answer(token, "success", encode(output), None, None)
    home.bell.ring()


def send_task_failure(home: Home, token: str, error: str = "", cause: str = "") -> None:
    """The waiting task failed. NotFound if no task waits under this token."""
    home.callbacks.answer(token, "failure", None, error, cause)
    home.bell.ring()


def send_task_heartbeat(home: Home, token: str) -> None:
    """The waiting task is alive. NotFound if no task waits under this token."""
    home.callbacks.answer(token, "heartbeat", None, None, None)


def get_activity_task(home: Home, activity: str) -> tuple[str, Any] | None:
    """Token and input of the oldest task of an activity (its ARN) that nobody has yet; None if there is none."""
    found = home.callbacks.next_activity(activity)
    return None if found is None else (found.token, decode(found.input or b"null"))
