"""What a state machine's role may do, by what its states call: as AWS documents it for each integration."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cirrus.deploying.deploy import Deployer
from cirrus.deploying.targets import unknown
from cirrus.errors import ConfigError
from cirrus.settings import load_project
from tests.deploying.projects import write

TOML = """
[project]
name = "roles"

[tasks.cut]
handler = "tasks.cut:cut"

[tasks.heavy]
handler = "tasks.heavy:heavy"
cpu = 4
image = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/heavy:1"

[buckets.scenes]

[deployments.prod]
home = "aws"
region = "eu-central-1"
subnets = ["subnet-0a1b2c3d4e5f60718"]
security_groups = ["sg-0a1b2c3d4e5f60718"]
"""
S = "arn:aws:states:::"
FUNCTION = "arn:aws:lambda:eu-central-1:123456789012:function:other"
MACHINE = "arn:aws:states:eu-central-1:123456789012:stateMachine:other"
TOPIC = "arn:aws:sns:eu-central-1:123456789012:told"
QUEUE = "https://sqs.eu-central-1.amazonaws.com/123456789012/heard"
JOB, JOBS = (
    "arn:aws:batch:eu-central-1:123456789012:job-definition/j:1",
    "arn:aws:batch:eu-central-1:123456789012:job-queue/q",
)
RULE = "rule/StepFunctionsGetEventsFor"


def deployer(folder: Path, state: dict[str, Any]) -> Deployer:
    definition = {"StartAt": "A", "States": {"A": {**state, "End": True}}}
    second = {"StartAt": "B", "States": {"B": {"Type": "Succeed"}}}
    project = load_project(write(folder, TOML, {"w": definition, "second": second}))
    return Deployer(project, project.deployments["prod"], lambda _: None)


def allowed(made: Deployer) -> dict[str, str]:
    """What the role of the machine may do, and on what."""
    policies = json.loads(made.template)["Resources"]["MachineWRole"]["Properties"].get("Policies", [])
    found: dict[str, str] = {}
    for policy in policies:
        for one in policy["PolicyDocument"]["Statement"]:
            for action in one["Action"]:
                found[action] = found.get(action, "") + json.dumps(one["Resource"])
    return found


def task(resource: str, **parameters: Any) -> dict[str, Any]:
    return {"Type": "Task", "Resource": resource, **({"Parameters": parameters} if parameters else {})}


RUNS = {"states:StartExecution", "states:DescribeExecution", "states:StopExecution", "states:RedriveExecution"}
EVENTS = {"events:PutTargets", "events:PutRule", "events:DescribeRule"}
LOCAL = "arn:aws:states:local:000000000000:stateMachine:second"
TABLE: list[tuple[str, dict[str, Any], set[str], tuple[str, ...]]] = [
    ("task", task("${cut}"), {"lambda:InvokeFunction"}, ("TaskCutFunction",)),
    ("function", task(FUNCTION), {"lambda:InvokeFunction"}, (FUNCTION, f"{FUNCTION}:*")),
    ("invoke", task(f"{S}lambda:invoke", FunctionName="${cut}"), {"lambda:InvokeFunction"}, ("TaskCutFunction",)),
    ("invoke other", task(f"{S}lambda:invoke", FunctionName=FUNCTION), {"lambda:InvokeFunction"}, (FUNCTION,)),
    (
        "job",
        task(f"{S}batch:submitJob", JobName="j", JobDefinition="${heavy}", JobQueue="q"),
        {"batch:SubmitJob"},
        ("job-definition", "BatchQueue"),
    ),
    (
        "job awaited",
        task(f"{S}batch:submitJob.sync", JobName="j", JobDefinition="${heavy}", JobQueue="q"),
        {"batch:SubmitJob", "batch:DescribeJobs", "batch:TerminateJob", *EVENTS},
        (f"{RULE}BatchJobsRule",),
    ),
    (
        "other job",
        task(f"{S}batch:submitJob", JobName="j", JobDefinition=JOB, JobQueue=JOBS),
        {"batch:SubmitJob"},
        (JOB, JOBS),
    ),
    ("start", task(f"{S}states:startExecution", StateMachineArn=LOCAL), {"states:StartExecution"}, ("prod-second",)),
    (
        "start and wait",
        task(f"{S}states:startExecution.sync:2", StateMachineArn=LOCAL),
        {*RUNS, *EVENTS},
        ("execution:", f"{RULE}StepFunctionsExecutionRule"),
    ),
    (
        "start other and wait",
        task(f"{S}states:startExecution.sync", StateMachineArn=MACHINE),
        {*RUNS, *EVENTS},
        (MACHINE, "arn:aws:states:eu-central-1:123456789012:execution:other:*"),
    ),
    (
        "queue",
        task(f"{S}sqs:sendMessage", QueueUrl=QUEUE, MessageBody="x"),
        {"sqs:SendMessage"},
        ("123456789012:heard",),
    ),
    ("topic", task(f"{S}sns:publish", TopicArn=TOPIC, Message="x"), {"sns:Publish"}, (TOPIC,)),
    ("activity", task("arn:aws:states:local:000000000000:activity:approve") | {"TimeoutSeconds": 9}, set(), ()),
    (
        "read an object",
        task(f"{S}aws-sdk:s3:getObject", Bucket="scenes", Key="k"),
        {"s3:GetObject", "s3:PutObject", "s3:ListBucket"},
        ("scenes",),
    ),
    (
        "map",
        {
            "Type": "Map",
            "ItemProcessor": {
                "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
                "StartAt": "C",
                "States": {"C": {"Type": "Succeed"}},
            },
            "ItemReader": {"Resource": f"{S}s3:listObjectsV2", "Parameters": {"Bucket": "scenes", "Prefix": "in/"}},
        },
        {*RUNS, "s3:GetObject", "s3:PutObject", "s3:ListBucket"},
        ("stateMachine:roles-prod-w", "execution:roles-prod-w:*", "execution:roles-prod-w/*:*", "scenes"),
    ),
]


@pytest.mark.parametrize(("state", "actions", "resources"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_role_by_resource(tmp_path: Path, state: dict[str, Any], actions: set[str], resources: tuple[str, ...]) -> None:
    made = deployer(tmp_path / "p", state)
    found = allowed(made)
    logs = {name for name in found if name.startswith(("logs:", "xray:"))}
    assert set(found) - logs == actions
    assert [one for one in resources if one not in "".join(found.values())] == []
    assert [one for one in made.unkept() if one.startswith("workflows.")] == []


@pytest.mark.parametrize(
    ("state", "told"),
    [
        (task(f"{S}sns:publish", **{"TopicArn.$": "$.topic", "Message": "x"}), "TopicArn: data names what sns:publish"),
        (task(f"{S}sqs:sendMessage", QueueUrl="heard", MessageBody="x"), "'heard' is no name that a role can be given"),
        (task(f"{S}lambda:invoke", FunctionName="other"), "'other' is no name that a role can be given"),
        (task(f"{S}aws-sdk:s3:getObject", Bucket="theirs", Key="k"), "may not use the bucket 'theirs': declare it"),
    ],
)
def test_what_no_role_allows_is_told(tmp_path: Path, state: dict[str, Any], told: str) -> None:
    (warning,) = [one for one in deployer(tmp_path / "p", state).unkept() if one.startswith("workflows.w: state 'A': ")]
    assert told in warning


def test_resource_of_unknown_permissions_is_refused(tmp_path: Path) -> None:
    state = task(f"{S}dynamodb:putItem", TableName="t", Item={})
    with pytest.raises(ConfigError, match=r"workflows\.w"):
        deployer(tmp_path / "p", state)
    (told,) = unknown(json.dumps({"StartAt": "A", "States": {"A": {**state, "End": True}}}))
    assert "what 'dynamodb:putItem' needs is not known" in told
