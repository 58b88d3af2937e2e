"""Where a deployment's parts are: references to what the stack makes, or the names of buckets that were brought."""

from __future__ import annotations

from typing import Any

from troposphere import GetAtt, Ref, Sub

from cirrus.core.bucket import bucket_of
from cirrus.deploying.layout import Layout, function_id

ACCOUNT = "${AWS::Region}:${AWS::AccountId}"
STATES = "arn:${AWS::Partition}:states:" + ACCOUNT
DEFAULT_ROOT = "cirrus"


class Places:
    """The parts of one deployment, as a template names them."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.prefix = layout.prefix
        self.pointer = f"/cirrus/deployments/{layout.where.pointer or layout.where.name}"
        self.parameters = f"/cirrus/stacks/{layout.cloud.stack}/"

    def arn(self, part: str) -> Any:
        """The ARN of what the stack makes."""
        return GetAtt(part, "Arn")

    # ---------------------------------------------------------------- buckets

    @property
    def own_payloads(self) -> str | None:
        """The name of the payload bucket that was brought, None where the stack makes one."""
        return bucket_of(self.layout.cloud.payloads) if self.layout.cloud.payloads else None

    @property
    def own_data(self) -> str | None:
        """The name of the data bucket that was brought, None where the stack makes one."""
        return bucket_of(self.layout.where.data)

    @property
    def payload_bucket(self) -> Any:
        """The name of the payload bucket."""
        return self.own_payloads or Ref("PayloadBucket")

    @property
    def data_bucket(self) -> Any:
        """The name of the data bucket."""
        return self.own_data or Ref("DataBucket")

    @property
    def root(self) -> str:
        """Where payloads stand in their bucket."""
        return (self.layout.cloud.payloads or "").removeprefix("s3://").partition("/")[2].strip("/") or DEFAULT_ROOT

    @property
    def data(self) -> Any:
        """The URL that outputs go to."""
        return self.layout.where.data if self.own_data else Sub("s3://${DataBucket}")

    @property
    def payload_bucket_arn(self) -> Any:
        """The ARN of the payload bucket."""
        return self.bucket_arn(self.own_payloads) if self.own_payloads else GetAtt("PayloadBucket", "Arn")

    @property
    def data_bucket_arn(self) -> Any:
        """The ARN of the data bucket."""
        return self.bucket_arn(self.own_data) if self.own_data else GetAtt("DataBucket", "Arn")

    @property
    def payload_objects(self) -> Any:
        """Payloads: what stands below the root."""
        bucket = f"{self.own_payloads}" if self.own_payloads else "${PayloadBucket}"
        return Sub(f"arn:${{AWS::Partition}}:s3:::{bucket}/{self.root}/*")

    @property
    def data_objects(self) -> list[Any]:
        """Outputs: what stands in the data store."""
        if not self.own_data:
            return [Sub("${DataBucket.Arn}/*")]
        below = self.layout.where.data.removeprefix("s3://").partition("/")[2].strip("/")
        return [self.objects(self.own_data, f"{below}/*" if below else "*")]

    def bucket_arn(self, bucket: str) -> Any:
        """The ARN of a bucket by its name."""
        return Sub(f"arn:${{AWS::Partition}}:s3:::{bucket}")

    def objects(self, bucket: str, keys: str = "*") -> Any:
        """The ARN of a bucket's objects."""
        return Sub(f"arn:${{AWS::Partition}}:s3:::{bucket}/{keys}")

    def granted(self, task: str) -> list[str]:
        """The buckets that a task may use with its role: those on AWS that need no credentials of their own."""
        declared = [self.layout.project.buckets[name] for name in self.layout.tasks[task].buckets]
        return [one.name for one in declared if not (one.endpoint or one.secret or one.anonymous)]

    def secrets(self, task: str) -> list[Any]:
        """The secrets that a task reads to open its buckets; six characters at the end of an ARN are AWS's own."""
        declared = [self.layout.project.buckets[name].secret for name in self.layout.tasks[task].buckets]
        names = [one.name for one in declared if one and one.source == "secretsmanager"]
        return [
            one if one.startswith("arn:") else Sub(f"arn:${{AWS::Partition}}:secretsmanager:{ACCOUNT}:secret:{one}-*")
            for one in names
        ]

    # ---------------------------------------------------------------- what runs

    @property
    def machines(self) -> list[Any]:
        """The ARNs of the state machines, by name: a reference would go round in a circle."""
        return [Sub(f"{STATES}:stateMachine:{self.prefix}{one.name}") for one in self.layout.machines]

    @property
    def runs(self) -> list[Any]:
        """The ARNs of their executions."""
        return [Sub(f"{STATES}:execution:{self.prefix}{one.name}:*") for one in self.layout.machines]

    @property
    def functions(self) -> list[Any]:
        """The ARNs of the functions."""
        return [GetAtt(name, "Arn") for name in self.function_ids]

    @property
    def function_ids(self) -> list[str]:
        """The names of the functions in the template."""
        own = ["ProcessFunction", "UpdateStateFunction", "SweepFunction", "PreBatchFunction", "PostBatchFunction"]
        own += [] if self.layout.cloud.api == "off" else ["ApiFunction"]
        return [*own, *(function_id(name) for name in self.layout.functions)]

    @property
    def log_groups(self) -> list[Any]:
        """The ARNs of the groups that functions and jobs log to."""
        named = [f"{name}Logs" for name in self.function_ids]
        groups = [GetAtt(name, "Arn") for name in named]
        jobs = [GetAtt("JobLogs", "Arn")] if self.layout.jobs else []
        return [*groups, *jobs]
