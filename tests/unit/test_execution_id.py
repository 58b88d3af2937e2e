from __future__ import annotations

from uuid import NAMESPACE_URL, UUID, uuid5

from hypothesis import given
from hypothesis import strategies as st

from cirrus.core.execution_id import execution_arn, from_arn, next_execution_id, state_machine_arn

P = "scenes/workflow-w/x"


def test_first_and_second() -> None:
    first = next_execution_id(P, ())
    assert first == str(uuid5(NAMESPACE_URL, "scenes/workflow-w/x/[]"))
    assert next_execution_id(P, [first]) == str(uuid5(NAMESPACE_URL, f'scenes/workflow-w/x/["{first}"]'))


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), st.integers(1, 8))
def test_every_attempt_has_its_own(known: str, attempts: int) -> None:
    ids: list[str] = []
    for _ in range(attempts):
        ids.append(next_execution_id(known, ids))
    assert len(set(ids)) == attempts
    assert next_execution_id(known, tuple(ids[:-1])) == ids[-1]
    assert all(UUID(one).version == 5 for one in ids)


def test_arn_there_and_back() -> None:
    one = next_execution_id(P, ())
    assert from_arn(execution_arn("w", one)) == one
    assert from_arn(one) == one
    assert state_machine_arn("w").endswith(":stateMachine:w")
