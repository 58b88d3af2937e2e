"""What every backend of the port Compute does: inherit `ComputeContract` and give it a fixture `compute`.

The fixture's backend runs the tasks of `TASKS`, the functions below, by their names.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

import orjson

from cirrus.ports.compute import Attempt, Compute, Outcome

DEADLINE = 60.0


def echo(payload: dict[str, Any]) -> dict[str, Any]:
    return payload


def says(payload: dict[str, Any]) -> dict[str, Any]:
    print(payload["words"])  # noqa: T201 -- what the task is for
    return {"said": True}


def fails(payload: dict[str, Any]) -> dict[str, Any]:
    raise InvalidInput(payload["why"])


def exits(payload: dict[str, Any]) -> dict[str, Any]:
    raise SystemExit(payload["code"])


def nothing(payload: dict[str, Any]) -> None:
    return None


def a_list(payload: dict[str, Any]) -> list[object]:
    return [payload]


class InvalidInput(Exception):
    """As stactask's."""


TASKS: dict[str, Callable[[dict[str, Any]], object]] = {
    function.__name__: function for function in (echo, says, fails, exits, nothing, a_list)
}


def attempt(number: object, task: str, **payload: object) -> Attempt:
    """An attempt with an id made of its number."""
    return Attempt(f"attempt-{number}", task, orjson.dumps(payload))


def finish(compute: Compute, attempts: Iterable[Attempt]) -> dict[str, Outcome]:
    """Submit attempts and wait for all of them; outcomes by id."""
    wanted = list(attempts)
    compute.submit(wanted)
    return gather(compute, len(wanted))


def gather(compute: Compute, count: int, patience: float = DEADLINE) -> dict[str, Outcome]:
    """The next `count` outcomes, by id; fails when they do not come."""
    found: dict[str, Outcome] = {}
    deadline = time.monotonic() + patience
    while len(found) < count:
        for outcome in compute.collect(1.0):
            assert outcome.id not in found, f"{outcome.id} came twice"
            found[outcome.id] = outcome
        assert time.monotonic() < deadline, f"only {len(found)} of {count} outcomes came"
    return found


def told(outcome: Outcome) -> dict[str, Any]:
    """The cause of a failure."""
    assert outcome.output is None
    assert outcome.cause is not None
    cause: dict[str, Any] = orjson.loads(outcome.cause)
    assert {"errorMessage", "errorType", "stackTrace"} <= cause.keys()
    assert cause["errorType"] == outcome.error
    return cause


class ComputeContract:
    """The promises of the port that do not need a process."""

    def test_output_is_what_the_task_returned(self, compute: Compute) -> None:
        before = time.time()
        outcome = finish(compute, [attempt(1, "echo", n=1, text="ü")])["attempt-1"]
        assert orjson.loads(outcome.output or b"") == {"n": 1, "text": "ü"}
        assert (outcome.error, outcome.cause) == (None, None)
        assert before - 1 <= outcome.started <= outcome.ended <= time.time() + 1

    def test_every_attempt_comes_back_once(self, compute: Compute) -> None:
        outcomes = finish(compute, [attempt(n, "echo", n=n) for n in range(500)])
        outputs = {name: orjson.loads(outcome.output or b"")["n"] for name, outcome in outcomes.items()}
        assert outputs == {f"attempt-{n}": n for n in range(500)}
        assert compute.collect(0) == []

    def test_what_is_printed_is_kept_with_its_attempt(self, compute: Compute) -> None:
        outcomes = finish(compute, [attempt(n, "says", words=f"word {n}") for n in range(50)])
        for n in range(50):
            assert outcomes[f"attempt-{n}"].log == f"word {n}\n".encode()

    def test_exception_is_a_failure_by_its_class_name(self, compute: Compute) -> None:
        outcome = finish(compute, [attempt(1, "fails", why="no bands")])["attempt-1"]
        assert outcome.error == "InvalidInput"
        assert told(outcome)["errorMessage"] == "no bands"

    def test_exit_is_a_failure(self, compute: Compute) -> None:
        outcomes = finish(compute, [attempt(1, "exits", code=3), attempt(2, "echo")])
        assert outcomes["attempt-1"].error == "SystemExit"
        assert outcomes["attempt-2"].output == b"{}"

    def test_what_is_no_object_is_no_output(self, compute: Compute) -> None:
        outcomes = finish(compute, [attempt(1, "nothing"), attempt(2, "a_list")])
        assert {outcome.error for outcome in outcomes.values()} == {"InvalidOutput"}
        assert "expected" in told(outcomes["attempt-1"])["errorMessage"]

    def test_unknown_task_is_a_failure(self, compute: Compute) -> None:
        outcome = finish(compute, [attempt(1, "no-such-task")])["attempt-1"]
        assert outcome.error == "Runtime.HandlerNotFound"
        assert "no-such-task" in told(outcome)["errorMessage"]

    def test_payload_of_twenty_megabytes(self, compute: Compute) -> None:
        text = "x" * 20_000_000
        outcome = finish(compute, [attempt(1, "echo", text=text)])["attempt-1"]
        assert orjson.loads(outcome.output or b"")["text"] == text

    def test_nothing_starts_while_the_hold_is_over(self, compute: Compute) -> None:
        finish(compute, [attempt(0, "echo")])
        compute.hold(-1.0)
        compute.submit([attempt(n, "echo", n=n) for n in range(1, 4)])
        compute.cancel("attempt-3")
        assert {one.id for one in (*compute.collect(0.1), *compute.collect(0.1))} <= {"attempt-3"}
        compute.hold(DEADLINE)
        outcomes = gather(compute, compute.in_flight())
        assert {outcome.error for name, outcome in outcomes.items() if name != "attempt-3"} == {None}

    def test_cancelled_attempt_comes_back_as_cancelled(self, compute: Compute) -> None:
        compute.submit([attempt(n, "echo", n=n) for n in range(100)])
        compute.cancel("attempt-99")
        outcomes = gather(compute, 100)
        assert outcomes["attempt-99"].error in ("Cirrus.Cancelled", None)
        assert all(outcomes[f"attempt-{n}"].error is None for n in range(99))

    def test_cancelling_what_is_not_there_does_nothing(self, compute: Compute) -> None:
        compute.cancel("attempt-1")
        assert compute.collect(0) == []

    def test_in_flight_counts_what_is_not_collected(self, compute: Compute) -> None:
        compute.submit([attempt(n, "echo") for n in range(3)])
        assert compute.in_flight() == 3
        gather(compute, 3)
        assert compute.in_flight() == 0

    def test_has_room_when_idle(self, compute: Compute) -> None:
        assert compute.room() >= 1

    def test_wakeup_before_collect(self, compute: Compute) -> None:
        compute.wakeup()
        started = time.monotonic()
        assert compute.collect(DEADLINE) == []
        assert time.monotonic() - started < DEADLINE / 2

    def test_wakeup_during_collect(self, compute: Compute) -> None:
        compute.collect(0)
        waker = threading.Timer(0.05, compute.wakeup)
        waker.start()
        started = time.monotonic()
        assert compute.collect(DEADLINE) == []
        assert time.monotonic() - started < DEADLINE / 2
        waker.join()

    def test_collect_without_work_returns_in_time(self, compute: Compute) -> None:
        assert compute.collect(0.01) == []

    def test_close_drops_what_is_left(self, compute: Compute) -> None:
        compute.submit([attempt(n, "echo") for n in range(10)])
        compute.close()
        compute.close()
