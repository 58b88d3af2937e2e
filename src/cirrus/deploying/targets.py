"""What the states of a machine call beside the project's own: named by ARNs, which its role is given, or by data.

A role can be given only what can be named when the stack is made. A target that data names, or that stands in no store
of the project, is told of when it is deployed, since AWS will refuse the call; a resource whose permissions are not
known here is refused.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from cirrus.asl.resource import read_resource

OWN = re.compile(r"\$\{.*")
_DATA = re.compile(r"\s*\{%.*", re.DOTALL)
# The parameters that name what a call acts on, and what a name looks like that a role can be given.
NAMED: dict[str, tuple[tuple[str, ...], re.Pattern[str]]] = {
    "lambda:invoke": (("FunctionName",), re.compile(r"arn:aws[\w-]*:lambda:[\w-]+:\d{12}:function:[\w-]+(:[\w$-]+)?")),
    "batch:submitJob": (("JobDefinition", "JobQueue"), re.compile(r"arn:aws[\w-]*:batch:[\w-]+:\d{12}:job-.+")),
    "states:startExecution": (
        ("StateMachineArn",),
        re.compile(r"arn:aws[\w-]*:states:[\w-]+:\d{12}:stateMachine:[\w-]+"),
    ),
    "sqs:sendMessage": (("QueueUrl",), re.compile(r"https://sqs\.[\w-]+\.amazonaws\.com[\w.]*/\d{12}/[\w.-]+")),
    "sns:publish": (("TopicArn", "TargetArn"), re.compile(r"arn:aws[\w-]*:sns:[\w-]+:\d{12}:[\w.-]+")),
}
_BUCKETS = frozenset(
    {"aws-sdk:s3:getObject", "aws-sdk:s3:putObject", "s3:getObject", "s3:listObjectsV2", "s3:putObject"}
)
_ITSELF = frozenset({"lambda", "activity"})  # the Resource is the target


@dataclass(frozen=True, slots=True)
class Target:
    """What a state calls: `field` says by `value` what it acts on; None where data says that."""

    state: str
    kind: str
    field: str
    value: str | None

    @property
    def outside(self) -> str | None:
        """Its name, if that is none of the stack's own; None for one of its own, or that is not known."""
        return None if self.value is None or OWN.match(self.value) else self.value


def targets(text: str) -> Iterator[Target]:
    """What the states of a definition call, readers and writers of Maps included."""
    yield from _states(json.loads(text), "")


def _states(value: Any, name: str) -> Iterator[Target]:
    if isinstance(value, list):
        for one in value:
            yield from _states(one, name)
    elif isinstance(value, dict):
        if isinstance(value.get("Resource"), str):
            yield from _called(value, name)
        for key, one in value.items():
            if key == "States" and isinstance(one, dict):
                for state, body in one.items():
                    yield from _states(body, state)
            elif key not in {"Parameters", "Arguments", "Result", "Assign", "Output"}:
                yield from _states(one, name)


def _called(state: Mapping[str, Any], name: str) -> Iterator[Target]:
    resource = read_resource(str(state["Resource"]))
    kind = str(state["Resource"]) if resource is None else resource.action
    if kind in _ITSELF:
        yield Target(name, kind, "Resource", str(state["Resource"]))
        return
    given = {**(state.get("Parameters") or {}), **(state.get("Arguments") or {})}
    fields = NAMED[kind][0] if kind in NAMED else ("Bucket",)
    said = [one for one in fields if one in given or f"{one}.$" in given]
    for field in said or fields[:1]:
        literal = given.get(field)
        by_data = not isinstance(literal, str) or _DATA.match(literal)
        yield Target(name, kind, field, None if by_data else str(literal))


def unknown(text: str) -> Iterator[str]:
    """Resources whose permissions are not known here."""
    for one in targets(text):
        if one.kind not in NAMED and one.kind not in _BUCKETS and one.kind not in _ITSELF:
            known = ", ".join(sorted(NAMED))
            yield f"state {one.state!r}: what {one.kind!r} needs is not known, and no role can be made: {known} are"


def unreachable(text: str, buckets: frozenset[str]) -> Iterator[str]:
    """Targets that the machine's role is not given, and what to do; `buckets` are those that it is given."""
    for one in targets(text):
        where = f"state {one.state!r}: {one.field}"
        if one.kind in _BUCKETS:
            if one.outside is not None and one.outside not in buckets:
                yield f"{where}: the role may not use the bucket {one.outside!r}: declare it below [buckets]"
        elif one.kind in NAMED and one.value is None:
            yield f"{where}: data names what {one.kind} acts on, and its role is given only what the definition names"
        elif one.kind in NAMED and one.outside is not None and not NAMED[one.kind][1].fullmatch(one.outside):
            yield f"{where}: {one.outside!r} is no name that a role can be given: name it by its whole ARN or URL"
