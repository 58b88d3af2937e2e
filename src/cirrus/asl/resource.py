"""Task resources: which integration a Resource names, what it is called in the history, and what is supported."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

FUNCTION = re.compile(r"arn:aws[\w-]*:lambda:[\w-]*:\d*:function:[^:]+(:[^:]+)?")
ACTIVITY = re.compile(r"arn:aws[\w-]*:states:[\w-]*:\d*:activity:.{1,80}")
INTEGRATION = re.compile(
    r"arn:aws[\w-]*:states:[\w-]*:\d*:(?P<service>[a-z0-9-]+(?::[a-z0-9-]+)?):(?P<action>[a-zA-Z0-9]+)"
    r"(?P<pattern>\.(?:sync(?::2)?|waitForTaskToken))?"
)
PLACEHOLDER = re.compile(r"\$\{[^{}$]+\}")

SUPPORTED = frozenset(
    {
        "lambda",
        "activity",
        "lambda:invoke",
        "lambda:invoke.waitForTaskToken",
        "batch:submitJob",
        "batch:submitJob.sync",
        "batch:submitJob.waitForTaskToken",
        "states:startExecution",
        "states:startExecution.sync",
        "states:startExecution.sync:2",
        "states:startExecution.waitForTaskToken",
        "sqs:sendMessage",
        "sqs:sendMessage.waitForTaskToken",
        "sns:publish",
        "sns:publish.waitForTaskToken",
        "aws-sdk:s3:getObject",
        "aws-sdk:s3:putObject",
    }
)

SERVICES = frozenset(
    {
        *("apigateway", "athena", "batch", "bedrock", "codebuild", "databrew", "dynamodb", "ecs", "eks"),
        *("elasticmapreduce", "emr-containers", "emr-serverless", "events", "glue", "http", "lambda", "mediaconvert"),
        *("s3", "sagemaker", "sns", "sqs", "states"),
    }
)
"""The services with integrations of their own; all others are called as `aws-sdk:service:action`."""

OPTIMISED: dict[str, frozenset[str]] = {
    "lambda:invoke": frozenset({"", ".waitForTaskToken"}),
    "batch:submitJob": frozenset({"", ".sync", ".waitForTaskToken"}),
    "states:startExecution": frozenset({"", ".sync", ".sync:2", ".waitForTaskToken"}),
    "sqs:sendMessage": frozenset({"", ".waitForTaskToken"}),
    "sns:publish": frozenset({"", ".waitForTaskToken"}),
}
"""The integrations whose patterns are known."""

REQUIRED: dict[str, tuple[str, ...]] = {
    "lambda:invoke": ("FunctionName",),
    "batch:submitJob": ("JobName", "JobQueue", "JobDefinition"),
    "states:startExecution": ("StateMachineArn",),
    "sqs:sendMessage": ("QueueUrl", "MessageBody"),
    "sns:publish": ("Message",),
}
"""The parameters without which a service refuses."""

INVOKE = frozenset({"ClientContext", "FunctionName", "InvocationType", "LogType", "Payload", "Qualifier"})
"""All parameters of `lambda:invoke`."""

NAMING = {
    "lambda:invoke": "FunctionName",
    "batch:submitJob": "JobDefinition",
    "states:startExecution": "StateMachineArn",
}
"""The parameter that names what an integration runs."""


@dataclass(frozen=True, slots=True)
class Resource:
    """A Resource, read: `kind` is its name without the ARN, `waits` whether it waits for a task token."""

    kind: str
    waits: bool = False

    @property
    def action(self) -> str:
        """The kind without its pattern."""
        return self.kind.partition(".")[0]


def read_resource(text: str) -> Resource | None:
    """What a Resource names, or None if it is no ARN of a task."""
    if FUNCTION.fullmatch(text) or PLACEHOLDER.fullmatch(text):
        return Resource("lambda")
    if ACTIVITY.fullmatch(text):
        return Resource("activity", waits=True)
    found = INTEGRATION.fullmatch(text)
    if found is None:
        return None
    kind = f"{found['service']}:{found['action']}{found['pattern'] or ''}"
    return Resource(kind, waits=found["pattern"] == ".waitForTaskToken")


FAMILIES = {"lambda": "LambdaFunction", "activity": "Activity"}


def family(kind: str) -> str:
    """The prefix of the history events of a kind: "LambdaFunction", "Activity" or "Task"."""
    return FAMILIES.get(kind, "Task")


def names(kind: str) -> dict[str, Any]:
    """ResourceType and resource as the history shows them."""
    action, dot, pattern = kind.partition(".")
    service, _, name = action.rpartition(":")
    return {"resourceType": service, "resource": name + dot + pattern}
