"""The table 'what queueing a payload does' of the state specification, row by row."""

from __future__ import annotations

from itertools import product

import pytest

from cirrus.core.decide import Action, Decision, decide
from cirrus.core.event import EventType
from cirrus.core.record import Record
from cirrus.core.state import ENDED, RUNNING, TRANSITIONS, State, allowed

LEASE = 30_000_000
NOW = 1_800_000_000_000_000
RUN, RESUME = Decision(Action.RUN), Decision(Action.RESUME)


def skip(event: EventType) -> Decision:
    return Decision(Action.SKIP, event)


# state, age of the claim in leases, replace -> what happens
TABLE: dict[tuple[State | None, float, bool], Decision] = {
    **{(None, age, replace): RUN for age, replace in product((0, 0.99, 1, 9), (False, True))},
    **dict.fromkeys(product((State.FAILED, State.ABORTED), (0, 0.99, 1, 9), (False, True)), RUN),
    **{
        (State.CLAIMED, age, replace): skip(EventType.ALREADY_CLAIMED)
        for age, replace in product((0, 0.99), (False, True))
    },
    **{(State.CLAIMED, age, replace): RESUME for age, replace in product((1, 9), (False, True))},
    **{(State.COMPLETED, age, False): skip(EventType.ALREADY_COMPLETED) for age in (0, 0.99, 1, 9)},
    **{(State.COMPLETED, age, True): RUN for age in (0, 0.99, 1, 9)},
    **{(State.INVALID, age, False): skip(EventType.ALREADY_INVALID) for age in (0, 0.99, 1, 9)},
    **{(State.INVALID, age, True): RUN for age in (0, 0.99, 1, 9)},
    **{
        (State.PROCESSING, age, replace): skip(EventType.ALREADY_PROCESSING)
        for age, replace in product((0, 0.99, 1, 9), (False, True))
    },
}


def test_the_table_is_whole() -> None:
    assert TABLE.keys() == set(product((None, *State), (0, 0.99, 1, 9), (False, True)))


@pytest.mark.parametrize("row", TABLE, ids=str)
def test_decide(row: tuple[State | None, float, bool]) -> None:
    state, age, replace = row
    claimed_at = NOW - round(age * LEASE)
    record = None if state is None else Record("c/workflow-w/x", state, 0, NOW, claimed_at, ("e1", "e2"))
    assert decide(record, replace=replace, now=NOW, lease=LEASE) == TABLE[row]


def test_claim_without_its_instant_counts_from_the_update() -> None:
    record = Record("c/workflow-w/x", State.CLAIMED, 0, NOW)
    assert decide(record, replace=False, now=NOW + LEASE - 1, lease=LEASE).action is Action.SKIP
    assert decide(record, replace=False, now=NOW + LEASE, lease=LEASE) == RESUME


# -------------------------------------------------------------------- states


def test_states_of_the_specification() -> None:
    assert set(State) == {"CLAIMED", "PROCESSING", "COMPLETED", "FAILED", "INVALID", "ABORTED"}
    assert set(State) == RUNNING | ENDED
    assert not RUNNING & ENDED


@pytest.mark.parametrize(
    ("text", "state"),
    [("COMPLETED", "COMPLETED"), ("SUCCEEDED", "COMPLETED"), ("succeeded", "COMPLETED"), ("failed", "FAILED")],
)
def test_state_by_name(text: str, state: str) -> None:
    assert State.parse(text) is State(state)


def test_unknown_state_lists_what_there_is() -> None:
    with pytest.raises(ValueError, match="'DONE' is no state: one of CLAIMED, PROCESSING, COMPLETED"):
        State.parse("DONE")


ALLOWED = {
    (None, State.CLAIMED),
    *((state, State.CLAIMED) for state in ENDED),
    (State.CLAIMED, State.PROCESSING),
    *product(RUNNING, ENDED),
}


@pytest.mark.parametrize("pair", list(product((None, *State), State)), ids=str)
def test_transitions(pair: tuple[State | None, State]) -> None:
    assert allowed(*pair) == (pair in ALLOWED)


def test_every_decision_to_run_has_a_transition() -> None:
    for (state, _, replace), decision in TABLE.items():
        triggers = {row.trigger for row in TRANSITIONS if row.before is state and row.after is State.CLAIMED}
        if decision == RUN:
            assert triggers & ({"claim", "claim, replaced"} if replace else {"claim"})
