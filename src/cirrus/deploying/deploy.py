"""What an operator asks for: the template, what deploying it would change, deploying, and taking it away again."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from cirrus.adapters.aws.clients import Clients
from cirrus.adapters.aws.faults import reported
from cirrus.deploying.artifacts import Artifacts, empty
from cirrus.deploying.code import Zip, build_code, declared
from cirrus.deploying.functions import CONTROL_CODE, TASK_CODE
from cirrus.deploying.layout import Layout, layout, uncalled
from cirrus.deploying.retention import problems
from cirrus.deploying.retention import unkept as unkept_ages
from cirrus.deploying.stack import INLINE, Change, Stack, StackFailed
from cirrus.deploying.template import build
from cirrus.errors import ConfigError, MissingExtra, StoreError
from cirrus.settings import Deployment, Project
from cirrus.settings.cloud import unkept

_REGION = "us-east-1"
Say = Callable[[str], None]


class Deployer:
    """Deploys one deployment of a project; `say` is told what happens, `every` is the pause between two looks."""

    def __init__(self, project: Project, where: Deployment, say: Say, *, every: float = 3.0) -> None:
        self._project = project
        self._where = where
        self._say = say
        self._every = every
        self.layout: Layout = layout(project, where)
        if wrong := list(problems(self.layout)):
            raise ConfigError("cirrus.toml", [f"deployments.{where.name}.{one}" for one in wrong])
        self.template: str = build(self.layout)
        for one in self.unkept():
            say(f"warning: {one}")

    @property
    def _clients(self) -> Clients:
        return Clients(self._where.region, profile=self._where.profile)

    def _stack(self, clients: Clients) -> Stack:
        return Stack(clients, self.layout.cloud.stack, self._say, every=self._every)

    def unkept(self) -> list[str]:
        """What the project asks for and a deployment on AWS does not keep."""
        jobs = [name for name in self.layout.jobs if self.layout.tasks[name].concurrency is not None]
        told = [f"tasks.{name}.concurrency: is not kept for jobs of Batch: limit them by `most_cores`" for name in jobs]
        return [*unkept(self._project.throttle), *told, *unkept_ages(self.layout), *uncalled(self.layout)]

    def code(self) -> tuple[Zip, Zip | None]:
        """The code, built where the project keeps what it makes."""
        self._say("building the code from wheels")
        for name, told in declared(self.layout).items():
            if "error" in told:
                self._say(f"warning: the parameters of task {name!r} will not be checked: {told['error']}")
        return build_code(self.layout, self._project.folder / ".cirrus" / "build")

    def lint(self) -> list[str]:
        """What cfn-lint finds in the template; the first word of a line is the rule."""
        try:
            from cfnlint import api, core
        except ImportError:
            raise MissingExtra("checking a template", "deploy") from None
        region = self._where.region or _REGION
        found = api.lint(self.template, core.get_rules([], [], ["I", "W", "E"]), [region])
        return [f"{one.rule.id} {one.message} ({'/'.join(map(str, one.path or []))})" for one in found]

    def plan(self) -> list[Change]:
        """What deploying would change; nothing is changed, and nothing is uploaded but the template."""
        clients = self._clients
        stack = self._stack(clients)
        if stack.status() in {None, "ROLLBACK_COMPLETE", "REVIEW_IN_PROGRESS"}:
            return list(_all_new(self.template))
        planned = self._planned(clients, stack, self.code())
        if planned is None:
            return []
        changes = stack.changes(planned)
        stack.forget(planned)
        return changes

    def deploy(self, *, lose: bool = False) -> list[Change]:
        """Build, upload, and change the stack until it is as the project says; gives what was changed.

        ConfigError if cfn-lint finds an error; StackFailed if CloudFormation went back, or if it would put a new table
        or bucket in the place of the old one, unless `lose` allows that.
        """
        errors = [one for one in self.lint() if one.startswith("E")]
        if errors:
            raise ConfigError("the template", errors)
        clients = self._clients
        stack, built = self._stack(clients), self.code()
        artifacts = Artifacts(clients, self.layout)
        artifacts.prepare()
        for one in filter(None, built):
            self._say(f"uploading {one.key}")
            artifacts.upload(one)
        planned = self._planned(clients, stack, built)
        if planned is None:
            return []
        changes = stack.changes(planned)
        lost = [one.name for one in changes if one.loses]
        if lost and not lose:
            stack.forget(planned)
            raise StackFailed(f"this would leave the deployment without {', '.join(lost)}; nothing was changed")
        stack.apply(planned)
        return changes

    def _planned(self, clients: Clients, stack: Stack, built: tuple[Zip, Zip | None]) -> str | None:
        artifacts = Artifacts(clients, self.layout)
        control, tasks = built
        parameters = {"CodeBucket": artifacts.bucket, CONTROL_CODE: control.key}
        parameters |= {TASK_CODE: tasks.key} if tasks else {}
        small = len(self.template.encode()) <= INLINE
        body = {"TemplateBody": self.template} if small else {"TemplateURL": artifacts.template(self.template)}
        tags = {**self.layout.cloud.tags, "cirrus:deployment": self.layout.cloud.stack}
        return stack.plan(body, parameters, tags)

    def outputs(self) -> dict[str, str]:
        """What the stack says of itself."""
        return self._stack(self._clients).outputs()


def destroy(project: Project, where: Deployment, say: Say, *, with_data: bool = False, every: float = 3.0) -> list[str]:
    """Delete a deployment's stack and its code; gives the tables and buckets that are left, which hold its data.

    `with_data` deletes these as well, with everything in them. StackFailed tells what could not be deleted.
    """
    laid = layout(project, where)
    clients = Clients(where.region, profile=where.profile)
    stack = Stack(clients, laid.cloud.stack, say, every=every)
    kept = stack.kept() if stack.status() else {}
    stack.delete()
    Artifacts(clients, laid).remove()
    if not with_data:
        return sorted(kept)
    for name, kind in sorted(kept.items()):
        say(f"deleting {name}")
        _delete(clients, name, kind)
    return []


def _delete(clients: Clients, name: str, kind: str) -> None:
    with reported(f"delete {name}"):
        if kind == "AWS::DynamoDB::Table":
            clients("dynamodb").delete_table(TableName=name)
            return
        empty(clients, name)
        clients("s3").delete_bucket(Bucket=name)


def _all_new(template: str) -> Iterator[Change]:
    for name, resource in json.loads(template)["Resources"].items():
        yield Change("Add", name, resource["Type"])


def write_template(template: str, file: Path) -> None:
    """Write a template to a file, whole or not at all; StoreError if it cannot be written."""
    try:
        with tempfile.NamedTemporaryFile("w", dir=file.parent, delete=False, encoding="utf-8") as half:
            half.write(template + "\n")
        Path(half.name).chmod(0o644)
        Path(half.name).replace(file)
    except OSError as error:
        raise StoreError(f"cannot write {file}: {error.strerror}") from None
