"""Batch: an environment and a queue for each kind of machine that tasks ask for, and a job definition for each task.

Jobs without a GPU run on Fargate. They run `python -m cirrus.entry.lambdas.task`, so the image holds Cirrus and the
project, in its working directory or where it sets CIRRUS_PROJECT.
"""

from __future__ import annotations

import math
from typing import Any

from troposphere import GetAtt, Ref, Sub, Template, batch, iam

from cirrus.deploying.functions import add_role, log_group, task_variables
from cirrus.deploying.layout import Layout, job_id
from cirrus.deploying.permissions import Permissions, allow
from cirrus.deploying.places import Places

LONGEST_JOB = 24 * 3600
_ECS_INSTANCE = "arn:${AWS::Partition}:iam::aws:policy/service-role/AmazonEC2ContainerServiceforEC2Role"
_ARCHITECTURES = {"x86_64": "X86_64", "arm64": "ARM64"}


def add_jobs(template: Template, places: Places) -> None:
    """Everything that the project's jobs need; nothing if it has none."""
    layout = places.layout
    if not layout.jobs:
        return
    log = template.add_resource(log_group(layout, "JobLogs", f"/aws/batch/{places.prefix}jobs"))
    written = allow("logs", ["CreateLogStream", "PutLogEvents"], [GetAtt(log, "Arn")])
    pulled = [
        *allow("ecr", ["GetAuthorizationToken"], ["*"]),  # knows no resources
        *allow("ecr", ["BatchGetImage", "GetDownloadUrlForLayer", "BatchCheckLayerAvailability"], _images(layout)),
    ]
    add_role(template, layout, "JobStartRole", "ecs-tasks.amazonaws.com", [*written, *pulled])
    for queue in sorted({layout.queue(name) for name in layout.jobs}):
        _add_queue(template, places, queue)
    for name in layout.jobs:
        _add_definition(template, places, name)


def _images(layout: Layout) -> list[Any]:
    """The repositories of the jobs' images that are in ECR."""
    found = set()
    for name in layout.jobs:
        host, _, rest = str(layout.image(name)).partition("/")
        parts = host.split(".")
        if len(parts) >= 5 and parts[1:3] == ["dkr", "ecr"]:
            repository = rest.partition("@")[0].partition(":")[0]
            found.add(f"arn:${{AWS::Partition}}:ecr:{parts[3]}:{parts[0]}:repository/{repository}")
    return [Sub(one) for one in sorted(found)]


def _add_queue(template: Template, places: Places, queue: str) -> None:
    gpu, spot = "Gpu" in queue, "Spot" in queue
    environment = queue.replace("Queue", "Environment")
    resources = _ec2(template, places.layout, spot) if gpu else _fargate(places.layout, spot)
    template.add_resource(
        batch.ComputeEnvironment(
            environment, Type="MANAGED", State="ENABLED", ComputeResources=resources, ReplaceComputeEnvironment=False
        )
    )
    order = batch.ComputeEnvironmentOrder(Order=1, ComputeEnvironment=Ref(environment))
    template.add_resource(batch.JobQueue(queue, Priority=1, State="ENABLED", ComputeEnvironmentOrder=[order]))


def _network(layout: Layout) -> dict[str, Any]:
    cloud = layout.cloud
    return {
        "MaxvCpus": cloud.most_cores,
        "Subnets": list(cloud.subnets),
        "SecurityGroupIds": list(cloud.security_groups),
    }


def _fargate(layout: Layout, spot: bool) -> batch.ComputeResources:
    return batch.ComputeResources(Type="FARGATE_SPOT" if spot else "FARGATE", **_network(layout))


def _ec2(template: Template, layout: Layout, spot: bool) -> batch.ComputeResources:
    if "JobInstanceProfile" not in template.resources:
        role = add_role(template, layout, "JobInstanceRole", "ec2.amazonaws.com", [], [Sub(_ECS_INSTANCE)])
        template.add_resource(iam.InstanceProfile("JobInstanceProfile", Roles=[Ref(role)]))
    return batch.ComputeResources(
        Type="SPOT" if spot else "EC2",
        AllocationStrategy="SPOT_PRICE_CAPACITY_OPTIMIZED" if spot else "BEST_FIT_PROGRESSIVE",
        MinvCpus=0,
        InstanceTypes=list(layout.cloud.gpu_instances),
        InstanceRole=GetAtt("JobInstanceProfile", "Arn"),
        UpdateToLatestImageVersion=True,
        **_network(layout),
    )


def _add_definition(template: Template, places: Places, name: str) -> None:
    layout, spec = places.layout, places.layout.tasks[name]
    may = Permissions(places).task(name)
    role = add_role(template, layout, f"{job_id(name)}Role", "ecs-tasks.amazonaws.com", may, spec.policies)
    template.add_resource(
        batch.JobDefinition(
            job_id(name),
            JobDefinitionName=f"{places.prefix}{name}",
            Type="container",
            PlatformCapabilities=["EC2" if spec.gpu else "FARGATE"],
            PropagateTags=True,
            Parameters={"url": "", "url_out": ""},
            RetryStrategy=_retries(spec.spot),
            Timeout=batch.Timeout(AttemptDurationSeconds=max(60, math.ceil(spec.timeout or LONGEST_JOB))),
            ContainerProperties=_container(places, name, GetAtt(role, "Arn")),
        )
    )


def _retries(spot: bool) -> batch.RetryStrategy:
    """A job whose machine was taken away runs again; one that failed does not: its state says what is tried again."""
    if not spot:
        return batch.RetryStrategy(Attempts=1)
    return batch.RetryStrategy(
        Attempts=5,
        EvaluateOnExit=[
            batch.EvaluateOnExit(Action="RETRY", OnStatusReason="Host EC2*"),
            batch.EvaluateOnExit(Action="RETRY", OnStatusReason="*Spot*"),
            batch.EvaluateOnExit(Action="EXIT", OnReason="*"),
        ],
    )


def _container(places: Places, name: str, role: Any) -> batch.ContainerProperties:
    layout, spec = places.layout, places.layout.tasks[name]
    cores, memory = layout.job_size(name)
    needs = [("VCPU", f"{cores:g}"), ("MEMORY", str(memory)), *([("GPU", str(spec.gpu))] if spec.gpu else [])]
    own = {} if spec.gpu else _on_fargate(layout)
    variables = task_variables(places, name) | {"AWS_REGION": Ref("AWS::Region")}
    return batch.ContainerProperties(
        Image=layout.image(name),
        Command=["python", "-m", "cirrus.entry.lambdas.task", name, "Ref::url", "Ref::url_out"],
        JobRoleArn=role,
        ExecutionRoleArn=GetAtt("JobStartRole", "Arn"),
        ResourceRequirements=[batch.ResourceRequirement(Type=kind, Value=value) for kind, value in needs],
        Environment=[batch.Environment(Name=key, Value=value) for key, value in variables.items()],
        LogConfiguration=batch.LogConfiguration(
            LogDriver="awslogs",
            Options={"awslogs-group": Ref("JobLogs"), "awslogs-stream-prefix": name},
        ),
        **own,
    )


def _on_fargate(layout: Layout) -> dict[str, Any]:
    public = "ENABLED" if layout.cloud.public_ip else "DISABLED"
    architecture = _ARCHITECTURES[layout.cloud.architecture]
    return {
        "NetworkConfiguration": batch.NetworkConfiguration(AssignPublicIp=public),
        "FargatePlatformConfiguration": batch.FargatePlatformConfiguration(PlatformVersion="LATEST"),
        "RuntimePlatform": batch.RuntimePlatform(CpuArchitecture=architecture, OperatingSystemFamily="LINUX"),
        "EphemeralStorage": batch.EphemeralStorage(SizeInGiB=100),
    }
