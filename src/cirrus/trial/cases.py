"""The cases of a workflow's test file: what goes in, what tasks answer, and what is expected to come of it.

mocks:                                  # for every case; a case may say otherwise
  publish: { echo: true }
cases:
  retried:
    input: { n: 1 }
    mocks:
      fetch: [{ throw: Busy, times: 2 }, { return: { n: 2 } }]
    expect: { status: SUCCEEDED, output: { n: 2 }, path: [fetch, publish] }
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from cirrus.asl.source import escape
from cirrus.trial.answers import Mock, read_answers, tell_unknown
from cirrus.trial.differences import ABSENT
from cirrus.trial.document import Document
from cirrus.trial.mock_config import Chosen, is_mock_config, read_mock_config
from cirrus.trial.names import Names, names_in

TOP = ("mocks", "cases", "comment")
CASE = ("input", "input_file", "mocks", "expect", "comment")
EXPECT = ("status", "output", "output_includes", "error", "cause", "path")
STATUSES = ("SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED")

ReadFile = Callable[[str], bytes]


@dataclass(frozen=True, slots=True)
class Expected:
    """What a case expects of the end; None and ABSENT say nothing. A cause need only hold the text."""

    status: str | None = None
    output: Any = ABSENT
    output_includes: Any = ABSENT
    error: str | None = None
    cause: str | None = None
    path: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """One execution to try; `input` is ABSENT where the file gives none."""

    name: str
    input: Any
    mocks: Mapping[str, Mock]
    expected: Expected = field(default_factory=Expected)


def read_cases(
    content: bytes, name: str, definition: Mapping[str, Any], workflow: str, read_file: ReadFile
) -> list[Case]:
    """The cases of a file, in either format; InvalidDefinition names everything that is wrong with it.

    `read_file` gives the content of an `input_file`; it raises OSError.
    """
    document = Document(content, name)
    names = names_in(definition)
    if is_mock_config(document.value):
        found = [_chosen(one) for one in read_mock_config(document, names, workflow)]
    else:
        found = _Cases(document, names, read_file).read()
    document.finish()
    return found


def _chosen(one: Chosen) -> Case:
    return Case(one.name, ABSENT, one.mocks)


class _Cases:
    """Reads a test file of our own format and tells every problem."""

    def __init__(self, document: Document, names: Names, read_file: ReadFile) -> None:
        self._document = document
        self._tell = document.tell
        self._names = names
        self._read_file = read_file

    def read(self) -> list[Case]:
        top = self._document.table(self._document.value, "", "a test file with `cases`")
        tell_unknown(top, TOP, "", self._tell)
        shared = self._mocks(top, "")
        cases = self._document.member(top, "cases", "", "the cases by name")
        if not cases and not self._document.problems:
            self._tell("", "at least one case is expected under `cases`")
        return [self._case(name, case, f"/cases/{escape(name)}", shared) for name, case in cases.items()]

    def _case(self, name: str, value: Any, where: str, shared: Mapping[str, Mock]) -> Case:
        case = self._document.table(value, where, "a case")
        tell_unknown(case, CASE, where, self._tell)
        expected = self._expected(case, where)
        return Case(name, self._input(case, where), {**shared, **self._mocks(case, where)}, expected)

    def _mocks(self, table: dict[str, Any], where: str) -> dict[str, Mock]:
        mocks = self._document.member(table, "mocks", where, "answers by the name of a state or task")
        found: dict[str, Mock] = {}
        for name, value in mocks.items():
            place = f"{where}/mocks/{escape(name)}"
            problem = self._names.problem(name)
            if problem:
                self._tell(place, problem)
            found[name] = read_answers(value, place, self._tell)
        return found

    def _input(self, case: dict[str, Any], where: str) -> Any:
        if "input_file" not in case:
            return case.get("input", ABSENT)
        place, file = f"{where}/input_file", case["input_file"]
        if "input" in case or not isinstance(file, str):
            self._tell(place, "either input or input_file is expected, and input_file is a path beside the test file")
            return ABSENT
        try:
            return json.loads(self._read_file(file))
        except (OSError, ValueError, RecursionError) as error:
            self._tell(place, f"cannot be read as JSON: {error}")
            return ABSENT

    def _expected(self, case: dict[str, Any], where: str) -> Expected:
        where = f"{where}/expect"
        found = self._document.table(case.get("expect", {}), where, "what is expected")
        tell_unknown(found, EXPECT, where, self._tell)
        for key in ("status", "error", "cause"):
            if found.get(key) is not None and not isinstance(found[key], str):
                self._tell(f"{where}/{key}", f"a text is expected, not {found[key]!r:.100}")
        if isinstance(found.get("status"), str) and found["status"] not in STATUSES:
            self._tell(f"{where}/status", f"one of {', '.join(STATUSES)} is expected, not {found['status']!r}")
        failing = found.keys() & {"error", "cause"}
        return Expected(
            status=found.get("status") or (None if failing else "SUCCEEDED"),
            output=found.get("output", ABSENT),
            output_includes=found.get("output_includes", ABSENT),
            error=found.get("error"),
            cause=found.get("cause"),
            path=self._path(found, where),
        )

    def _path(self, found: dict[str, Any], where: str) -> tuple[str, ...] | None:
        path, place = found.get("path"), f"{where}/path"
        if path is None:
            return None
        if not isinstance(path, list):
            self._tell(place, f"a list of states is expected, not {path!r:.100}")
            return None
        for at, name in enumerate(path):
            if not isinstance(name, str) or name not in self._names.states:
                self._tell(f"{place}/{at}", f"no state is named {name!r}")
        return tuple(str(name) for name in path)
