"""What a deployment on AWS is made of: which tasks are functions and which are jobs, and its state machines.

A task is a job of Batch where a state submits it (`JobDefinition: "${task}"`), and a function where a state invokes it;
it may be both. One that no workflow names is a function, or a job if it asks for cores.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cirrus.core.execution_id import ACCOUNT
from cirrus.core.reserved import POST_BATCH, PRE_BATCH
from cirrus.core.throttle import write_limits
from cirrus.deploying.targets import unknown, unreachable
from cirrus.errors import CirrusError, ConfigError
from cirrus.ports.compute import TaskSpec
from cirrus.settings import Deployment, Project
from cirrus.settings.cloud import LONGEST_FUNCTION, SMALLEST_FUNCTION, Cloud, is_stack, megabytes
from cirrus.tasks import BUILTIN
from cirrus.workflows import FUNCTION, ProjectWorkflows

_TASK = re.compile(re.escape(FUNCTION) + r"([A-Za-z0-9_-]+)")
_LOCAL = re.compile(re.escape(ACCOUNT) + r":(stateMachine|activity):([A-Za-z0-9_.-]+)")
_BATCH = re.compile(r"arn:aws[\w-]*:states:[\w-]*:\d*:batch:submitJob")
_OWN = {PRE_BATCH: "PreBatch", POST_BATCH: "PostBatch"}
_RESERVED = frozenset({"process", "update-state", "sweep", "api", PRE_BATCH, POST_BATCH})
_LONGEST_NAME = 64
_FARGATE = {
    0.25: (512, 2048),
    0.5: (1024, 4096),
    1.0: (2048, 8192),
    2.0: (4096, 16_384),
    4.0: (8192, 30_720),
    8.0: (16_384, 61_440),
    16.0: (32_768, 122_880),
}
_FARGATE_STEP = {8.0: 4096, 16.0: 8192}

_LIMITS_BYTES = 2_000  # Lambda has 4 KB for all variables together


@dataclass(frozen=True, slots=True)
class Machine:
    """A workflow's definition with `${Place}` for what the stack makes, and which places those are."""

    name: str
    text: str
    functions: tuple[str, ...] = ()
    jobs: tuple[str, ...] = ()
    nested: tuple[str, ...] = ()
    activities: tuple[str, ...] = ()
    calls: frozenset[str] = frozenset()

    @property
    def id(self) -> str:
        """Its name in the template."""
        return f"Machine{logical(self.name)}"


@dataclass(frozen=True, slots=True)
class Layout:
    """A project's deployment on AWS, checked."""

    project: Project
    where: Deployment
    cloud: Cloud
    tasks: Mapping[str, TaskSpec]
    functions: tuple[str, ...]
    jobs: tuple[str, ...]
    machines: tuple[Machine, ...]
    activities: tuple[str, ...] = ()

    @property
    def prefix(self) -> str:
        """What the names of its resources begin with."""
        return f"{self.cloud.stack}-"

    def image(self, task: str) -> str | None:
        """The image that a task runs in, None if it is a zip file."""
        return self.tasks[task].image or self.cloud.image

    def queue(self, task: str) -> str:
        """The name in the template of the queue that a task's jobs wait in: one for each kind of machine."""
        spec = self.tasks[task]
        return f"Batch{'Gpu' if spec.gpu else ''}{'Spot' if spec.spot else ''}Queue"

    def job_size(self, task: str) -> tuple[float, int]:
        """The virtual cores and megabytes of a job; for Fargate a pair that it has, no smaller than asked."""
        spec = self.tasks[task]
        cores, memory = spec.cpu or 1.0, megabytes(spec.memory) if spec.memory else 0
        if spec.gpu:
            return cores, memory or 8192
        fitting = [
            (size, max(least, -(-memory // _FARGATE_STEP.get(size, 1024)) * _FARGATE_STEP.get(size, 1024)))
            for size, (least, most) in _FARGATE.items()
            if size >= cores and memory <= most
        ]
        if not fitting:
            raise ConfigError("cirrus.toml", [f"tasks.{task}: Fargate has no {cores:g} cores with {memory} MiB"])
        return fitting[0]


@dataclass(slots=True)
class _Found:
    """What the states of one definition name."""

    functions: dict[str, None] = field(default_factory=dict)
    jobs: dict[str, None] = field(default_factory=dict)
    nested: dict[str, None] = field(default_factory=dict)
    activities: dict[str, None] = field(default_factory=dict)
    calls: set[str] = field(default_factory=set)


def logical(name: str, _words: re.Pattern[str] = re.compile(r"[A-Za-z0-9]+")) -> str:
    """A name as a template takes it: letters and digits."""
    return "".join(word[:1].upper() + word[1:] for word in _words.findall(name))


def function_id(task: str) -> str:
    """The name of a task's function in the template."""
    return f"{_OWN[task]}Function" if task in _OWN else f"Task{logical(task)}Function"


def job_id(task: str) -> str:
    """The name of a task's job definition in the template."""
    return f"Task{logical(task)}Job"


def activity_id(name: str) -> str:
    """The name of an activity in the template."""
    return f"Activity{logical(name)}"


def layout(project: Project, where: Deployment) -> Layout:
    """What is to be deployed; ConfigError lists everything that AWS would refuse."""
    if where.cloud is None:
        raise ConfigError("cirrus.toml", [f"deployments.{where.name}.home: 'aws' is expected, not {where.home!r}"])
    tasks = {name: TaskSpec(name=name, handler=handler) for name, handler in BUILTIN.items()} | dict(project.tasks)
    workflows = ProjectWorkflows(project.workflows, {*tasks, *_OWN})
    problems: list[str] = []
    machines = tuple(_machines(workflows, tasks, problems))
    functions, jobs = _kinds(project, tasks, machines)
    activities = tuple(sorted({one for machine in machines for one in machine.activities}))
    found = Layout(project, where, where.cloud, tasks, functions, jobs, machines, activities)
    problems += _problems(found)
    if problems:
        raise ConfigError("cirrus.toml", problems)
    return found


def _machines(workflows: ProjectWorkflows, tasks: Mapping[str, TaskSpec], problems: list[str]) -> Iterator[Machine]:
    for name in workflows.names():
        try:
            yield machine(name, workflows.definition(name), tasks)
        except CirrusError as error:
            problems.append(f"workflows.{name}: {error}")


def machine(name: str, definition: bytes, tasks: Mapping[str, TaskSpec]) -> Machine:
    """A definition whose tasks are named by places that the stack fills in."""
    found = _Found()
    document = _walk(json.loads(definition), found, tasks)
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    made = (tuple(found.functions), tuple(found.jobs), tuple(found.nested), tuple(found.activities))
    return Machine(name, text, *made, frozenset(found.calls))


def _walk(value: Any, found: _Found, tasks: Mapping[str, TaskSpec]) -> Any:
    if isinstance(value, list):
        return [_walk(member, found, tasks) for member in value]
    if isinstance(value, str):
        return _filled(value, found)
    if not isinstance(value, dict):
        return value
    resource = value.get("Resource")
    if isinstance(resource, str):
        found.calls.add(resource)
        if _BATCH.match(resource):
            value = _job_state(value, found, tasks)
    return {key: _walk(member, found, tasks) for key, member in value.items()}


def _filled(text: str, found: _Found) -> str:
    def place(matched: re.Match[str]) -> str:
        found.functions[matched[1]] = None
        return f"${{{function_id(matched[1])}}}"

    def local(matched: re.Match[str]) -> str:
        if matched[1] == "activity":
            found.activities[matched[2]] = None
            return f"${{{activity_id(matched[2])}}}"
        found.nested[matched[2]] = None
        return f"${{States}}:stateMachine:${{Prefix}}{matched[2]}"

    return _LOCAL.sub(local, _TASK.sub(place, text))


def _job_state(state: dict[str, Any], found: _Found, tasks: Mapping[str, TaskSpec]) -> dict[str, Any]:
    """A state that submits a job: the definition is the task's, and the queue the one for what it asks."""
    key = "Arguments" if isinstance(state.get("Arguments"), dict) else "Parameters"
    given = dict(state.get(key) or {})
    named = _TASK.fullmatch(str(given.get("JobDefinition")))
    if named is None or named[1] not in tasks:
        return state
    found.jobs[named[1]] = None
    given |= {"JobDefinition": f"${{{job_id(named[1])}}}", "JobQueue": f"${{{job_id(named[1])}Queue}}"}
    return {**state, key: given}


def _kinds(
    project: Project, tasks: Mapping[str, TaskSpec], machines: tuple[Machine, ...]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The tasks that are functions, and those that are jobs."""
    invoked = {name for one in machines for name in one.functions} - _OWN.keys()
    submitted = {name for one in machines for name in one.jobs}
    for name, spec in project.tasks.items():
        if name not in invoked | submitted:
            (submitted if asks_batch(spec) else invoked).add(name)
    return tuple(sorted(invoked)), tuple(sorted(submitted))


def uncalled(found: Layout) -> Iterator[str]:
    """What states call that the role of their machine does not allow."""
    own = [place for place in (found.where.data, found.cloud.payloads) if place and place.startswith("s3://")]
    buckets = frozenset([*declared_buckets(found.project), *(place[5:].partition("/")[0] for place in own)])
    for one in found.machines:
        yield from (f"workflows.{one.name}: {told}" for told in unreachable(one.text, buckets))


def declared_buckets(project: Project) -> list[str]:
    """The names of the buckets that a project declares, those on S3."""
    return [one.name for one in project.buckets.values() if "://" not in one.name]


def asks_batch(spec: TaskSpec) -> bool:
    """Whether a task asks for what only Batch has."""
    return bool(spec.cpu or spec.gpu or spec.spot)


def _problems(found: Layout) -> Iterator[str]:
    if not is_stack(found.cloud.stack):
        expected = "1 to 41 letters, digits and '-', a letter first"
        yield f"deployments.{found.where.name}.stack: say one: {expected}, not {found.cloud.stack!r}"
    names = list(dict.fromkeys([*found.functions, *found.jobs]))
    for name in names:
        yield from _task_problems(found, found.tasks[name], names)
    for name in found.functions:
        yield from _function_problems(found.tasks[name])
    for name in found.jobs:
        yield from _job_problems(found, name)
    for one in found.machines:
        yield from (f"workflows.{one.name}: {told}" for told in unknown(one.text))
    if len(write_limits(found.project.throttle).encode()) > _LIMITS_BYTES:
        told = f"limits of workflows and collections take more than {_LIMITS_BYTES} bytes, too much for functions"
        yield f"{told}: say '*' for what is alike"
    if found.jobs and not found.cloud.subnets:
        yield f"deployments.{found.where.name}.subnets: Batch needs subnets and security_groups to run jobs in"


def _task_problems(found: Layout, spec: TaskSpec, names: Sequence[str]) -> Iterator[str]:
    name = spec.name
    if name in _RESERVED:
        yield f"tasks.{name}: Cirrus has a function of that name"
    if len(found.prefix + name) > _LONGEST_NAME:
        yield f"tasks.{name}: with the prefix {found.prefix!r} its name is longer than {_LONGEST_NAME} characters"
    same = [other for other in names if other != name and logical(other) == logical(name)]
    if same:
        yield f"tasks.{name}: differs from {same[0]!r} by signs only, which a template cannot tell apart"
    for bucket in spec.buckets:
        if "://" in bucket:
            yield f"tasks.{name}.buckets: {bucket} is none of S3, whose credentials AWS does not have"


def _job_problems(found: Layout, name: str) -> Iterator[str]:
    if found.image(name) is None:
        yield f"tasks.{name}.image: a job of Batch runs in an image: say one here, or in the deployment"
    try:
        found.job_size(name)
    except ConfigError as error:
        yield from error.problems


def _function_problems(spec: TaskSpec) -> Iterator[str]:
    if asks_batch(spec):
        yield f"tasks.{spec.name}: asks for cpu, gpu or spot, so its state must submit a job, not invoke a function"
    if spec.timeout is not None and not 1 <= spec.timeout <= LONGEST_FUNCTION:
        yield f"tasks.{spec.name}.timeout: a function may take 1 s to 15m; longer tasks are jobs of Batch"
    if spec.memory is not None and not SMALLEST_FUNCTION <= megabytes(spec.memory) <= 10_240:
        yield f"tasks.{spec.name}.memory: a function has 128MiB to 10GiB; larger tasks are jobs of Batch"
