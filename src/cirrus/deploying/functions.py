"""The functions of a stack: Cirrus's own and the project's tasks, each with its role and its log group."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from troposphere import GetAtt, Ref, Sub, Template, awslambda, events, iam, logs

from cirrus.deploying.layout import Layout, function_id
from cirrus.deploying.messaging import PROCESS_SECONDS, UPDATE_SECONDS
from cirrus.deploying.permissions import Permissions, Statement, allow, policy, trusted
from cirrus.deploying.places import Places
from cirrus.deploying.retention import log_days
from cirrus.settings.cloud import megabytes

CONTROL_CODE, TASK_CODE = "ControlCode", "TaskCode"
SWEEP_SECONDS = 300
INTERVAL = 60
_HANDLERS = "cirrus.entry.lambdas"
_OWN_MEMORY = 512
_BATCH = 10
_WINDOW = 1


class _Mapping(awslambda.EventSourceMapping):  # type: ignore[misc]  # troposphere is untyped
    # troposphere 4.11 has another service's class of that name in its place
    props: ClassVar[dict[str, Any]] = {**awslambda.EventSourceMapping.props, "ScalingConfig": (dict, False)}


class Functions:
    """Adds functions to a template."""

    def __init__(self, template: Template, places: Places, variables: Mapping[str, Any]) -> None:
        self._template = template
        self._places = places
        self._layout = places.layout
        self._variables = dict(variables)
        self._may = Permissions(places)

    def add(self) -> None:
        """Every function, with what calls it."""
        may = self._may
        self._own("process", "ProcessFunction", may.process(), PROCESS_SECONDS)
        self._own("update-state", "UpdateStateFunction", may.update_state(), UPDATE_SECONDS)
        self._own("sweep", "SweepFunction", may.sweep(), SWEEP_SECONDS)
        self._own("pre-batch", "PreBatchFunction", may.batch(), 60)
        self._own("post-batch", "PostBatchFunction", may.batch(), 60)
        for queue in ("ProcessQueue", "BulkQueue"):
            self._fed("ProcessFunction", queue, self._layout.cloud.process_at_once)
        self._fed("UpdateStateFunction", "UpdateQueue", None)
        self._swept()
        if self._layout.cloud.api != "off":
            self._api()
        for name in self._layout.functions:
            self._task(name)

    def _own(self, name: str, place: str, may: Sequence[Statement], seconds: int) -> None:
        handler = f"{_HANDLERS}.{name.replace('-', '_')}.lambda_handler"
        self._function(
            name, place, may, Timeout=seconds, MemorySize=_OWN_MEMORY, **self._zip(CONTROL_CODE, handler),
            Environment=awslambda.Environment(Variables=self._variables),
        )  # fmt: skip

    def _zip(self, code: str, handler: str) -> dict[str, Any]:
        return {
            "Runtime": f"python{self._layout.cloud.python}",
            "Handler": handler,
            "Code": awslambda.Code(S3Bucket=Ref("CodeBucket"), S3Key=Ref(code)),
        }

    def _task(self, name: str) -> None:
        spec, cloud = self._layout.tasks[name], self._layout.cloud
        handler = f"{_HANDLERS}.task.lambda_handler"
        image = self._layout.image(name)
        code = self._zip(TASK_CODE, handler) if image is None else image_of(image, handler)
        more = {} if spec.concurrency is None else {"ReservedConcurrentExecutions": spec.concurrency}
        self._function(
            name,
            function_id(name),
            self._may.task(name),
            spec.policies,
            Timeout=math.ceil(spec.timeout or cloud.function_timeout),
            MemorySize=megabytes(spec.memory or cloud.function_memory),
            EphemeralStorage=awslambda.EphemeralStorage(Size=10_240),
            Environment=awslambda.Environment(Variables=task_variables(self._places, name)),
            **code,
            **more,
        )

    def _function(
        self, name: str, place: str, may: Sequence[Statement], policies: Sequence[str] = (), **properties: Any
    ) -> None:
        full = f"{self._places.prefix}{name}"
        log = self._template.add_resource(log_group(self._layout, f"{place}Logs", f"/aws/lambda/{full}"))
        written = allow("logs", ["CreateLogStream", "PutLogEvents"], [GetAtt(log, "Arn")])
        role = add_role(
            self._template, self._layout, f"{place}Role", "lambda.amazonaws.com", [*may, *written], policies
        )
        self._template.add_resource(
            awslambda.Function(
                place,
                FunctionName=full,
                Architectures=[self._layout.cloud.architecture],
                Role=GetAtt(role, "Arn"),
                DependsOn=[log.title],
                **properties,
            )
        )

    def _fed(self, function: str, queue: str, most: int | None) -> None:
        scaling = {} if most is None else {"ScalingConfig": {"MaximumConcurrency": most}}
        self._template.add_resource(
            _Mapping(
                f"{function}{queue}",
                FunctionName=Ref(function),
                EventSourceArn=GetAtt(queue, "Arn"),
                BatchSize=_BATCH,
                MaximumBatchingWindowInSeconds=_WINDOW,
                FunctionResponseTypes=["ReportBatchItemFailures"],
                **scaling,
            )
        )

    def _swept(self) -> None:
        told = f'{{"interval": {INTERVAL}}}'
        target = events.Target(Id="sweep", Arn=GetAtt("SweepFunction", "Arn"), Input=told)
        rule = events.Rule("SweepRule", Description="Sweep", ScheduleExpression="rate(1 minute)", Targets=[target])
        self._template.add_resource(rule)
        self._template.add_resource(
            awslambda.Permission(
                "SweepAllowed",
                Action="lambda:InvokeFunction",
                FunctionName=Ref("SweepFunction"),
                Principal="events.amazonaws.com",
                SourceArn=GetAtt("SweepRule", "Arn"),
            )
        )

    def _api(self) -> None:
        self._own("api", "ApiFunction", self._may.api(), 30)
        kind = "NONE" if self._layout.cloud.api == "public" else "AWS_IAM"
        self._template.add_resource(
            awslambda.Url("ApiUrl", TargetFunctionArn=GetAtt("ApiFunction", "Arn"), AuthType=kind)
        )
        if kind == "NONE":
            for name, action, more in (
                ("ApiUrlAllowed", "lambda:InvokeFunctionUrl", {"FunctionUrlAuthType": "NONE"}),
                ("ApiAllowed", "lambda:InvokeFunction", {"InvokedViaFunctionUrl": True}),
            ):
                self._template.add_resource(
                    awslambda.Permission(name, Action=action, FunctionName=Ref("ApiFunction"), Principal="*", **more)
                )


def image_of(image: str, handler: str) -> dict[str, Any]:
    """A function that is an image, whose entry point is Lambda's runtime client."""
    return {
        "PackageType": "Image",
        "Code": awslambda.Code(ImageUri=image),
        "ImageConfig": awslambda.ImageConfig(Command=[handler]),
    }


def task_variables(places: Places, task: str) -> dict[str, Any]:
    """What a task finds in its environment: its own variables, and where data and payloads go."""
    return {
        **places.layout.tasks[task].env,
        "CIRRUS_TASK": task,
        "CIRRUS_DATA": places.data,
        "CIRRUS_DATA_BUCKET": places.data_bucket,
        "CIRRUS_PAYLOAD_BUCKET": places.payload_bucket,
        "CIRRUS_PAYLOAD_ROOT_PREFIX": places.root,
    }


def log_group(layout: Layout, place: str, name: str) -> logs.LogGroup:
    """A log group that forgets, and that goes with the stack."""
    return logs.LogGroup(
        place,
        DeletionPolicy="Delete",
        UpdateReplacePolicy="Delete",
        LogGroupName=name,
        RetentionInDays=log_days(layout),
    )


def add_role(
    template: Template,
    layout: Layout,
    place: str,
    service: str,
    may: Sequence[Statement],
    policies: Sequence[str] = (),
) -> iam.Role:
    """A role for one service, with one policy of its own and those that were brought."""
    boundary = layout.cloud.permissions_boundary
    more: dict[str, Any] = {"PermissionsBoundary": boundary} if boundary else {}
    if policies:
        more["ManagedPolicyArns"] = list(policies)
    if may:
        more["Policies"] = [iam.Policy(**policy("own", may))]
    return template.add_resource(iam.Role(place, AssumeRolePolicyDocument=trusted(service), **more))


def invoked(names: Sequence[str]) -> list[Any]:
    """The ARNs of functions and of their versions."""
    return [arn for name in names for arn in (GetAtt(name, "Arn"), Sub(f"${{{name}.Arn}}:*"))]
