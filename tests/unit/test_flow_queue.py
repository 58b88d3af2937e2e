"""What limits, pauses and priorities do to whole executions, in a home in memory."""

from __future__ import annotations

from typing import Any

from cirrus.adapters.memory.store import Store
from cirrus.core.jsontext import encode
from cirrus.core.throttle import Limit, Pause, Throttle, parse_rate
from cirrus.flow.abort import abort
from cirrus.flow.submit import submit
from cirrus.ports.queue import Message
from cirrus.testing.builders import document, item
from cirrus.testing.home import Clock, Control, machine, make_home

WORKFLOWS = {"w": machine("t"), "x": machine("t")}


def echo(payload: dict[str, Any]) -> dict[str, Any]:
    return payload


def control(throttle: Throttle | None = None, *documents: dict[str, Any], priority: int = 0) -> Control:
    found = Control(make_home(WORKFLOWS, clock=Clock(), throttle=throttle), {"t": echo})
    assert all(one.result == "queued" for one in submit(found.home, map(encode, documents), priority=priority))
    return found


def states(one: Control) -> dict[str, int]:
    counts: dict[str, int] = {}
    for found in one.home.state_db.count().values():
        for state, number in found.items():
            counts[str(state)] = counts.get(str(state), 0) + number
    return counts


def test_no_more_run_at_once_than_a_workflow_may() -> None:
    one = control(Throttle({"w": Limit(2)}), *(document(f"s{n}") for n in range(5)), document("other", process="x"))
    one.turn()
    assert len(one.driver) == 3
    most = 0
    while one.home.queue.depth() or len(one.driver):
        one.turn()
        most = max(most, len(one.driver))
    assert most <= 3
    assert states(one) == {"COMPLETED": 6}


def test_rate_lets_them_begin_as_time_passes() -> None:
    one = control(Throttle(collections={"*": Limit(rate=parse_rate("4/s"))}), *(document(f"s{n}") for n in range(3)))
    assert isinstance(one.home.clock, Clock)
    for begun in (1, 2, 3):
        one.turn()
        one.turn()
        assert states(one) == {"COMPLETED": begun}
        one.home.clock.advance(0.25)


def test_message_whose_id_is_not_known_heeds_limits_and_pauses() -> None:
    one = control(Throttle({"w": Limit(1)}))
    one.home.queue.put([Message(encode(document(f"s{n}"))) for n in range(3)], one.home.clock())
    one.turn()
    assert len(one.driver) == 0
    one.turn()
    assert len(one.driver) == 1
    one.run()
    assert states(one) == {"COMPLETED": 3}
    one.home.queue.pause(Pause("workflow", "w", one.home.clock()))
    one.home.queue.put([Message(encode(document("late")))], one.home.clock())
    for _ in range(3):
        one.turn()
    assert (len(one.driver), one.home.queue.depth()) == (0, 1)


def test_skipped_payloads_cost_no_rate() -> None:
    one = control(None, document("done"))
    one.run()
    slow = Control(
        make_home(
            WORKFLOWS,
            store=one.home.unit,
            clock=one.home.clock,
            throttle=Throttle({"w": Limit(rate=parse_rate("1/h"))}),
        ),  # type: ignore[arg-type]
        {"t": echo},
    )
    list(submit(slow.home, [encode(document("done"))] * 5 + [encode(document("new"))]))
    for _ in range(9):
        slow.turn()
    assert slow.home.queue.depth() == 0
    assert states(slow) == {"COMPLETED": 2}


def test_chain_keeps_its_priority_and_waits_under_its_id() -> None:
    chained = document(item("a"), process=[{"workflow": "w"}, {"workflow": "x"}])
    one = control(None, chained, priority=7)
    one.turn()
    one.turn()
    assert one.home.queue.holds("scenes/workflow-x/a")
    (taken,) = one.home.queue.take(9, owner="o", now=one.home.clock(), until=one.home.clock() + 1)
    assert (taken.priority, taken.known) == (7, True)


# -------------------------------------------------------------------- limited tasks


def pair(limit: Limit, number: int = 12, task: str = "t") -> tuple[Control, Control]:
    """Two control processes on one store, each of which has begun half of the payloads."""
    store, clock, throttle = Store(), Clock(), Throttle(tasks={task: limit})
    both = [Control(make_home(WORKFLOWS, store=store, clock=clock, throttle=throttle), {"t": echo}, n) for n in "ab"]
    assert len(list(submit(both[0].home, (encode(document(f"s{n}")) for n in range(number))))) == number
    for one in both:
        one.turn(limit=number // 2)
    return both[0], both[1]


def test_task_has_no_more_attempts_at_once_than_its_limit_in_all_control_processes() -> None:
    one, other = pair(Limit(3))
    most = rounds = 0
    while len(one.driver) or len(other.driver):
        for control in (one, other):
            control.turn()
            most = max(most, one.compute.in_flight() + other.compute.in_flight())
        rounds += 1
        assert rounds < 50
    assert most == 3
    assert states(one) == {"COMPLETED": 12}


def test_single_place_is_not_kept_by_who_always_has_more_to_do() -> None:
    one, other = pair(Limit(1))
    assert isinstance(one.home.clock, Clock)
    ends: list[tuple[int, int]] = []
    for _ in range(8):
        one.home.clock.advance(1)
        for control in (one, other):
            control.turn()
            control.turn()
        ends.append((len(one.driver), len(other.driver)))
    assert ends[-1][0] < 6
    assert ends[-1][1] < 6


def test_attempts_at_other_tasks_pass() -> None:
    one, other = pair(Limit(1), task="another")
    assert (one.compute.in_flight(), other.compute.in_flight()) == (6, 6)


def test_attempts_start_no_more_often_than_the_rate_of_their_task() -> None:
    one, other = pair(Limit(rate=parse_rate("4/s")))
    assert isinstance(one.home.clock, Clock)
    done = []
    for _ in range(4):
        for control in (one, other, one, other):
            control.turn()
        done.append(states(one).get("COMPLETED", 0))
        one.home.clock.advance(0.25)
    assert done == [1, 2, 3, 4]


def test_attempt_that_waits_for_room_is_forgotten_with_its_execution() -> None:
    one, _ = pair(Limit(1))
    waiting = [f"scenes/workflow-w/s{n}" for n in range(1, 6)]
    for known in waiting:
        abort(one.home, known)
    one.driver.drop(one.home.journal.cancelled("a"))
    one.turn()
    one.turn()
    assert len(one.driver) == 0
    assert one.compute.in_flight() == 0
    assert one.driver.size == 0
