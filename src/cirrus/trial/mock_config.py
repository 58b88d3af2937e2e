"""Step Functions Local's MockConfigFile.json: test cases that name a mocked response for each state.

A response says by the number of the call, "0" or "1-2", what the state's service returns or throws. It holds neither
inputs nor expectations, and what `lambda:invoke` returns stands in it with the service's own wrapping.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cirrus.asl.source import escape
from cirrus.trial.answers import Answer, Answers, Mock, tell_unknown
from cirrus.trial.document import Document
from cirrus.trial.names import Names, answers_whole

NUMBERS = re.compile(r"(\d{1,9})(?:-(\d{1,9}))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Chosen:
    """One test case: its name, and the answers of its states."""

    name: str
    mocks: Mapping[str, Mock]


def is_mock_config(value: Any) -> bool:
    """Whether a document is of this format."""
    return isinstance(value, dict) and not value.keys().isdisjoint({"StateMachines", "MockedResponses"})


def read_mock_config(document: Document, names: Names, workflow: str) -> list[Chosen]:
    """The test cases of one state machine; problems are told to the document."""
    top = document.table(document.value, "", "a mock configuration")
    tell_unknown(top, ("StateMachines", "MockedResponses"), "", document.tell)
    machines = document.member(top, "StateMachines", "", "state machines by name")
    responses = document.member(top, "MockedResponses", "", "mocked responses by name")
    if workflow not in machines:
        if not document.problems:
            known = ", ".join(machines) or "none"
            document.tell("/StateMachines", f"no state machine is named {workflow!r}; there are: {known}")
        return []
    where = f"/StateMachines/{escape(workflow)}"
    machine = document.table(machines[workflow], where, "a state machine with TestCases")
    tell_unknown(machine, ("TestCases",), where, document.tell)
    cases = document.member(machine, "TestCases", where, "test cases by name")
    return [
        Chosen(name, _mocks(document, names, responses, states, f"{where}/TestCases/{escape(name)}"))
        for name, states in cases.items()
    ]


def _mocks(document: Document, names: Names, responses: dict[str, Any], states: Any, where: str) -> dict[str, Mock]:
    found: dict[str, Mock] = {}
    for state, response in document.table(states, where, "a mocked response for each state").items():
        place = f"{where}/{escape(state)}"
        problem = names.problem(state) if state in names.states else f"no state is named {state!r}"
        if problem:
            document.tell(place, problem)
        elif not isinstance(response, str) or response not in responses:
            known = ", ".join(responses) or "none"
            document.tell(place, f"no mocked response is named {response!r:.100}; there are: {known}")
        else:
            below = f"/MockedResponses/{escape(response)}"
            found[state] = _answers(document, responses[response], below, answers_whole(names.states[state]))
    return found


def _answers(document: Document, value: Any, where: str, wrapped: bool) -> Answers:
    numbered: list[tuple[int, int, str, Any]] = []
    for key, response in document.table(value, where, "answers by the number of the call").items():
        found = NUMBERS.fullmatch(key)
        first, last = (int(found[1]), int(found[2] or found[1])) if found else (0, -1)
        if last < first:
            document.tell(f"{where}/{escape(key)}", f"the number of a call or a range of them is expected, not {key!r}")
        else:
            numbered.append((first, last, key, response))
    answers: list[Answer] = []
    following = 0
    for first, last, key, response in sorted(numbered, key=lambda one: one[:2]):
        place = f"{where}/{escape(key)}"
        if first != following:
            document.tell(place, f"the answer to call {following} is expected next, not to call {first}")
        following = last + 1
        answers.append(_answer(document, response, place, wrapped, last - first + 1))
    return tuple(answers)


def _answer(document: Document, value: Any, where: str, wrapped: bool, times: int) -> Answer:
    response = document.table(value, where, "Return or Throw")
    tell_unknown(response, ("Return", "Throw"), where, document.tell)
    if isinstance(value, dict) and len(response.keys() & {"Return", "Throw"}) != 1:
        document.tell(where, "either Return or Throw is expected")
    if "Throw" in response:
        error = document.table(response["Throw"], f"{where}/Throw", "Error and Cause")
        name, cause = error.get("Error"), error.get("Cause")
        if not isinstance(name, str) or not isinstance(cause, str | None):
            document.tell(f"{where}/Throw", "Error, a text, is expected, and Cause, a text, may stand beside it")
            return Answer(error="", times=times)
        return Answer(error=name, cause=cause, times=times)
    returned = response.get("Return")
    if not wrapped:
        return Answer(returned, times=times)
    if not isinstance(returned, dict) or "Payload" not in returned:
        document.tell(f"{where}/Return", "lambda:invoke returns an object with a Payload")
        return Answer(times=times)
    return Answer(returned["Payload"], times=times)
