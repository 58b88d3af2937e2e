"""A pytest plugin: a fixture that runs a workflow in memory, and test files beside definitions as tests.

    def test_publishes(cirrus_workflow):
        flow = cirrus_workflow("workflows/hello.asl.yaml", mocks={"hello": lambda payload: payload})
        assert flow.run({"features": []}).status == "SUCCEEDED"

With `cirrus_workflows = true` in pytest's configuration every `*.test.yaml` beside a definition is collected, one test
for each case. Nothing of Cirrus is imported before it is used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from cirrus.entry.cli.workflow_named import Named
    from cirrus.trial.play import Played

ENDINGS = (".test.yaml", ".test.yml", ".test.json")
Mocks = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class WorkflowRunner:
    """A workflow and what its tasks answer: `run` gives status, output, error, cause, path, events and calls."""

    workflow: Named
    mocks: Mocks

    def run(self, given: Any = None) -> Played:
        """One execution in memory, in virtual time; a call that no mock answers fails the test and is named."""
        from cirrus import asl
        from cirrus.trial.answers import Answer
        from cirrus.trial.play import Unanswered, play

        machine = asl.parse(self.workflow.definition(), name=self.workflow.workflow.source)
        mocks = {
            name: mock if callable(mock) or isinstance(mock, tuple) else (Answer(mock),)
            for name, mock in self.mocks.items()
        }
        try:
            return play(machine, {} if given is None else given, mocks, workflow=self.workflow.name)
        except Unanswered as problem:
            return pytest.fail(str(problem), pytrace=False)


@pytest.fixture
def cirrus_workflow(request: pytest.FixtureRequest) -> Callable[..., WorkflowRunner]:
    """Gives a runner for a workflow of the project (from pytest's root folder) or for the path of a definition.

    `mocks` are by the name of a state or of a task: a function of the task's input, a value to give each time, or a
    tuple of `cirrus.trial.answers.Answer`. One that would never be asked raises ValueError.
    """
    from cirrus.entry.cli.workflow_named import named
    from cirrus.trial.names import names_in

    def make(name: str | Path, mocks: Mocks | None = None) -> WorkflowRunner:
        place = Path(name)
        beside = request.path.parent / place
        shown = str(beside) if place.suffix and beside.exists() else str(name)
        workflow = named(request.config.rootpath, shown)
        names = names_in(workflow.definition())
        for mock in mocks or {}:
            if problem := names.problem(mock):
                raise ValueError(problem)
        return WorkflowRunner(workflow, mocks or {})

    return make


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declares the option that switches the collection of test files on."""
    parser.addini("cirrus_workflows", "collect *.test.yaml beside workflow definitions", type="bool", default=False)


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """A test file of a workflow, if they are to be collected."""
    ending = next((one for one in ENDINGS if file_path.name.endswith(one)), None)
    if ending is None or not parent.config.getini("cirrus_workflows"):
        return None
    name = file_path.name.removesuffix(ending)
    if not any(file_path.parent.glob(f"{name}.asl.*")):
        return None
    return WorkflowFile.from_parent(parent, path=file_path)


class WorkflowFile(pytest.File):
    """A test file beside a definition."""

    def collect(self) -> Iterator[pytest.Item]:
        """A test for each case."""
        from cirrus import asl
        from cirrus.entry.cli.workflow_named import named
        from cirrus.entry.cli.workflow_test import load_cases
        from cirrus.errors import CirrusError

        name = self.path.name.partition(".test.")[0]
        definition = next(iter(sorted(self.path.parent.glob(f"{name}.asl.*"))))
        try:
            found = named(self.path.parent, str(definition))
            machine = asl.parse(found.definition(), name=found.workflow.source)
            cases = load_cases(found, str(self.path))
        except CirrusError as error:
            raise self.CollectError(str(error)) from None
        for case in cases:
            yield WorkflowCase.from_parent(self, name=case.name, machine=machine, case=case, workflow=found.name)


class WorkflowCase(pytest.Item):
    """One case of a test file."""

    def __init__(self, *, machine: Any, case: Any, workflow: str, **options: Any) -> None:
        super().__init__(**options)
        self._machine, self._case, self._workflow = machine, case, workflow

    def runtest(self) -> None:
        """Run it; fails with what differs."""
        from cirrus.entry.cli.workflow_test import explain
        from cirrus.trial.judge import judge

        verdict = judge(self._machine, self._case, {}, workflow=self._workflow)
        if not verdict.passed:
            pytest.fail("\n".join(explain(verdict)), pytrace=False)
