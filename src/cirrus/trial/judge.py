"""Try a case and say where it went otherwise than expected."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from cirrus import asl
from cirrus.trial.cases import Case, Expected
from cirrus.trial.differences import ABSENT, Difference, differences
from cirrus.trial.play import Played, Unanswered, play


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a case: how it ended unless a call had no mock (`problem`), and every difference."""

    case: str
    played: Played | None
    problem: str | None
    differences: tuple[Difference, ...]

    @property
    def passed(self) -> bool:
        """Whether all was as expected."""
        return self.problem is None and not self.differences


def judge(machine: asl.Machine, case: Case, given: Any, *, workflow: str = "workflow") -> Verdict:
    """Run a case, with `given` as its input where it has none of its own."""
    try:
        played = play(
            machine, given if case.input is ABSENT else case.input, case.mocks, name=case.name, workflow=workflow
        )
    except Unanswered as problem:
        return Verdict(case.name, None, str(problem), ())
    return Verdict(case.name, played, None, tuple(_compare(case.expected, played)))


def _compare(expected: Expected, played: Played) -> Iterator[Difference]:
    if expected.status is not None and expected.status != played.status:
        found = ": ".join(part for part in (played.status, played.error, played.cause) if part)
        yield Difference("status", "", expected.status, found)
    if expected.error is not None and expected.error != played.error:
        yield Difference("error", "", expected.error, played.error)
    if expected.cause is not None and expected.cause not in (played.cause or ""):
        yield Difference("cause", "", expected.cause, played.cause)
    if expected.path is not None and list(expected.path) != played.path:
        yield Difference("path", "", list(expected.path), played.path)
    if expected.output is not ABSENT:
        yield from differences("output", expected.output, played.output)
    if expected.output_includes is not ABSENT:
        yield from differences("output", expected.output_includes, played.output, partly=True)
