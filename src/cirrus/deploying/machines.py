"""The state machines of a stack, each with a role that may call what its definition names."""

from __future__ import annotations

import re
from typing import Any

from troposphere import GetAtt, Ref, Sub, Template, stepfunctions

from cirrus.deploying.functions import add_role, invoked
from cirrus.deploying.layout import Machine, activity_id, function_id, job_id
from cirrus.deploying.permissions import Statement, allow
from cirrus.deploying.places import ACCOUNT, STATES, Places

_QUEUE = re.compile(r"https://sqs\.([\w-]+)\.amazonaws\.com[\w.]*/(\d{12})/([\w.-]+)")
_TOPIC = re.compile(r"arn:aws[\w-]*:sns:[\w-]+:\d{12}:[\w.-]+")
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
    return [
        *allow("lambda", ["InvokeFunction"], invoked([function_id(name) for name in machine.functions])),
        *_jobs(places, machine),
        *_nested(places, machine),
        *allow("sqs", ["SendMessage"], _queues(machine)),
        *allow("sns", ["Publish"], sorted(set(_TOPIC.findall(machine.text)))),
        *_objects(places, machine),
    ]


def _jobs(places: Places, machine: Machine) -> list[Statement]:
    if not machine.jobs:
        return []
    queues = [Ref(one) for one in sorted({places.layout.queue(name) for name in machine.jobs})]
    # a job definition's ARN ends in its revision, and an execution may be older than the newest
    definitions = [_definition(places, name) for name in machine.jobs]
    return [
        *allow("batch", ["SubmitJob"], [*definitions, *queues]),
        *allow("batch", ["DescribeJobs", "TerminateJob"], ["*"]),  # know no resources
        *_awaited("StepFunctionsGetEventsForBatchJobsRule"),
    ]


def _definition(places: Places, name: str) -> Any:
    return Sub(f"arn:${{AWS::Partition}}:batch:{ACCOUNT}:job-definition/{places.prefix}{name}:*")


def _awaited(rule: str) -> list[Statement]:
    """What Step Functions needs to hear of the end of what it waits for."""
    named = Sub(f"arn:${{AWS::Partition}}:events:{ACCOUNT}:rule/{rule}")
    return allow("events", ["PutTargets", "PutRule", "DescribeRule"], [named])


def _nested(places: Places, machine: Machine) -> list[Statement]:
    names = [*machine.nested, *([machine.name] if _DISTRIBUTED in machine.text else [])]
    machines = [Sub(f"{STATES}:stateMachine:{places.prefix}{name}") for name in names]
    runs = [Sub(f"{STATES}:execution:{places.prefix}{name}:*") for name in names]
    synchronous = any(".sync" in call and ":states:startExecution" in call for call in machine.calls)
    return [
        *allow("states", ["StartExecution"], machines),
        *allow("states", ["DescribeExecution", "StopExecution", "RedriveExecution"], runs),
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
    declared = [one.name for one in places.layout.project.buckets.values() if "://" not in one.name]
    objects = [*places.data_objects, places.payload_objects, *(places.objects(name) for name in declared)]
    buckets = [places.data_bucket_arn, places.payload_bucket_arn, *(places.bucket_arn(name) for name in declared)]
    return [*allow("s3", ["GetObject", "PutObject"], objects), *allow("s3", ["ListBucket"], buckets)]
