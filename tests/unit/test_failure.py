from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cirrus.core.event import EventType
from cirrus.core.failure import MAX_ERROR, end_of, is_invalid_input, last_error
from cirrus.core.state import State


@pytest.mark.parametrize(
    ("error", "invalid"),
    [
        ("InvalidInput", True),
        ("stactask.exceptions.InvalidInput", True),
        ("my.tasks.InvalidInput", True),
        ("FailedValidation", True),
        ("stactask.exceptions.FailedValidation", True),
        ("NotInvalidInput", False),
        ("InvalidInput.Other", False),
        ("invalidinput", False),
        ("ValueError", False),
        ("", False),
        (None, False),
    ],
)
def test_invalid_input_bare_or_dotted(error: str | None, invalid: bool) -> None:
    assert is_invalid_input(error) == invalid
    expected = (State.INVALID, EventType.INVALID) if invalid else (State.FAILED, EventType.FAILED)
    assert end_of("FAILED", error) == expected


def test_other_ends() -> None:
    assert end_of("TIMED_OUT", None) == (State.FAILED, EventType.TIMED_OUT)
    assert end_of("ABORTED", "InvalidInput") == (State.ABORTED, EventType.ABORTED)


@pytest.mark.parametrize(
    ("status", "error", "cause", "message"),
    [
        ("FAILED", "ValueError", "no bands", "ValueError: no bands"),
        (
            "FAILED",
            "ValueError",
            json.dumps({"errorMessage": "no bands", "errorType": "ValueError"}),
            "ValueError: no bands",
        ),
        ("FAILED", "E", json.dumps({"errorMessage": "line 1\nline 2 'ü'"}), "E: line 1\nline 2 'ü'"),
        ("FAILED", "E", '{"other": 1}', 'E: {"other": 1}'),
        ("FAILED", "E", '{"errorMessage": 5}', 'E: {"errorMessage": 5}'),
        ("FAILED", "E", "{not JSON", "E: {not JSON"),
        ("FAILED", "E", '["errorMessage"]', 'E: ["errorMessage"]'),
        ("FAILED", "E", None, "E: no message"),
        ("FAILED", None, "cause", "Unknown: cause"),
        ("FAILED", "States.Timeout", None, "TimedOutError: the execution took longer than its limit"),
        ("FAILED", "States.HeartbeatTimeout", "late", "TimedOutError: late"),
        (
            "FAILED",
            "Sandbox.Timedout",
            '{"errorMessage":"Task timed out after 3 s"}',
            "TimedOutError: Task timed out after 3 s",
        ),
        ("TIMED_OUT", None, None, "TimedOutError: the execution took longer than its limit"),
        ("TIMED_OUT", "States.Timeout", "too long", "TimedOutError: too long"),
        ("ABORTED", None, None, "Aborted: stopped on request"),
        ("ABORTED", "Aborted", "by an operator", "Aborted: by an operator"),
    ],
)
def test_last_error(status: str, error: str | None, cause: str | None, message: str) -> None:
    assert last_error(status, error, cause) == message


@given(st.sampled_from(["FAILED", "TIMED_OUT", "ABORTED"]), st.none() | st.text(), st.none() | st.text())
def test_any_failure_has_a_message(status: str, error: str | None, cause: str | None) -> None:
    assert ": " in last_error(status, error, cause)


def test_message_is_bounded() -> None:
    assert len(last_error("FAILED", "E", "x" * 1_000_000)) < MAX_ERROR + 100
