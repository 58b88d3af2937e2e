"""The state machines of a stack, each with a role that may call what its definition names."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import Any

from troposphere import GetAtt, Ref, Sub, Template, stepfunctions

from cirrus.deploying.functions import add_role, invoked
from cirrus.deploying.layout import Machine, activity_id, declared_buckets, function_id, job_id
from cirrus.deploying.permissions import Statement, allow
from cirrus.deploying.places import ACCOUNT, STATES, Places
from cirrus.deploying.targets import targets

_QUEUE = re.compile(r"https://sqs\.([\w-]+)\.amazonaws\.com[\w.]*/(\d{12})/([\w.-]+)")
_FUNCTIONS = frozenset({"lambda", "lambda:invoke"})
_DISTRIBUTED = '"Mode":"DISTRIBUTED"'


def add_machines(template: Template, places: Places) -> None:
    """Every workflow and every activity of the project."""
    for name in places.layout.activities:
        template.add_resource(stepfunctions.Activity(activity_id(name), Name=f"{places.prefix}{name}"))
    for machine in places.layout.machines:
        _add(template, places, machine)


def _add(template: Template, places: Places, machine: Machine) -> None:
    role = add_role(template, places.layout, f"{machine.id}Role", "states.amazonaws.com", _statements(places, machine))
    filled = _filled(places, machine)
    template.add_resource(
        stepfunctions.StateMachine(
            machine.id,
            StateMachineName=f"{places.prefix}{machine.name}",
            StateMachineType="STANDARD",
            RoleArn=GetAtt(role, "Arn"),
            DefinitionString=machine.text,
            **({"DefinitionSubstitutions": filled} if filled else {}),
        )
    )


def _filled(places: Places, machine: Machine) -> dict[str, Any]:
    filled: dict[str, Any] = {function_id(name): GetAtt(function_id(name), "Arn") for name in machine.functions}
    for name in machine.jobs:
        filled[job_id(name)] = Ref(job_id(name))
        filled[f"{job_id(name)}Queue"] = Ref(places.layout.queue(name))
    filled |= {activity_id(name): Ref(activity_id(name)) for name in machine.activities}
    if machine.nested:
        filled |= {"States": Sub(STATES), "Prefix": places.prefix}
    return filled


def _statements(places: Places, machine: Machine) -> list[Statement]:
    functions = [*invoked([function_id(name) for name in machine.functions]), *_versions(_outside(machine, _FUNCTIONS))]
    return [
        *allow("lambda", ["InvokeFunction"], functions),
        *_jobs(places, machine),
        *_nested(places, machine),
        *allow("sqs", ["SendMessage"], _queues(machine)),
        *allow("sns", ["Publish"], _outside(machine, {"sns:publish"})),
        *_objects(places, machine),
    ]


def _outside(machine: Machine, kinds: Collection[str]) -> list[str]:
    """What the states name that the stack does not make, of some kinds of calls."""
    found = {one.outside for one in targets(machine.text) if one.kind in kinds and one.outside is not None}
    return sorted(name for name in found if name.startswith("arn:"))


def _versions(functions: Sequence[str]) -> list[str]:
    """Functions, each with its versions."""
    return [name for one in functions for name in (one, f"{one}:*")]


def _jobs(places: Places, machine: Machine) -> list[Statement]:
    outside = _outside(machine, {"batch:submitJob"})
    if not machine.jobs and not outside:
        return []
    queues = [Ref(one) for one in sorted({places.layout.queue(name) for name in machine.jobs})]
    # a job definition's ARN ends in its revision, and an execution may be older than the newest
    definitions = [_definition(places, name) for name in machine.jobs]
    awaited = any(":batch:submitJob.sync" in call for call in machine.calls)
    return [
        *allow("batch", ["SubmitJob"], [*definitions, *queues, *outside]),
        *(allow("batch", ["DescribeJobs", "TerminateJob"], ["*"]) if awaited else []),  # know no resources
        *(_awaited("StepFunctionsGetEventsForBatchJobsRule") if awaited else []),
    ]


def _definition(places: Places, name: str) -> Any:
    return Sub(f"arn:${{AWS::Partition}}:batch:{ACCOUNT}:job-definition/{places.prefix}{name}:*")


def _awaited(rule: str) -> list[Statement]:
    """What Step Functions needs to hear of the end of what it waits for."""
    named = Sub(f"arn:${{AWS::Partition}}:events:{ACCOUNT}:rule/{rule}")
    return allow("events", ["PutTargets", "PutRule", "DescribeRule"], [named])


def _nested(places: Places, machine: Machine) -> list[Statement]:
    distributed = [machine.name] if _DISTRIBUTED in machine.text else []
    outside = _outside(machine, {"states:startExecution"})
    names = [*machine.nested, *distributed]
    machines = [*(Sub(f"{STATES}:stateMachine:{places.prefix}{name}") for name in names), *outside]
    runs = [Sub(f"{STATES}:execution:{places.prefix}{name}:*") for name in names]
    # executions of a Map carry its label in the name of their machine
    runs += [Sub(f"{STATES}:execution:{places.prefix}{name}/*:*") for name in distributed]
    runs += [f"{one.replace(':stateMachine:', ':execution:')}:*" for one in outside]
    synchronous = any(".sync" in call and ":states:startExecution" in call for call in machine.calls)
    stopped = ["DescribeExecution", "StopExecution", "RedriveExecution"]
    return [
        *allow("states", ["StartExecution"], machines),
        *(allow("states", stopped, runs) if synchronous or distributed else []),
        *(_awaited("StepFunctionsGetEventsForStepFunctionsExecutionRule") if synchronous else []),
    ]


def _queues(machine: Machine) -> list[Any]:
    """The queues that the definition names by URL."""
    return [
        Sub(f"arn:${{AWS::Partition}}:sqs:{region}:{account}:{name}")
        for region, account, name in sorted(set(_QUEUE.findall(machine.text)))
    ]


def _objects(places: Places, machine: Machine) -> list[Statement]:
    """Objects that states read and write: of the deployment's own stores, and of the buckets that are declared."""
    if not any(":s3:" in call for call in machine.calls) and _DISTRIBUTED not in machine.text:
        return []
    declared = declared_buckets(places.layout.project)
    objects = [*places.data_objects, places.payload_objects, *(places.objects(name) for name in declared)]
    buckets = [places.data_bucket_arn, places.payload_bucket_arn, *(places.bucket_arn(name) for name in declared)]
    return [*allow("s3", ["GetObject", "PutObject"], objects), *allow("s3", ["ListBucket"], buckets)]
