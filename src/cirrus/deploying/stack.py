"""A stack of CloudFormation: what would change, changing it, and deleting it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from cirrus.adapters.aws.clients import Clients
from cirrus.adapters.aws.faults import code, reported
from cirrus.errors import CirrusError, StoreError

PAUSE = 3.0
PATIENCE = 3600.0
INLINE = 51_200
_MOST_REASONS = 10
_NOTHING = ("didn't contain changes", "no updates are to be performed")
_DEAD = frozenset({"ROLLBACK_COMPLETE", "REVIEW_IN_PROGRESS", "DELETE_FAILED"})
_KEPT = frozenset({"AWS::DynamoDB::Table", "AWS::S3::Bucket"})
Say = Callable[[str], None]


class StackFailed(CirrusError):
    """CloudFormation could not do what was asked; the message has its reasons."""


@dataclass(frozen=True, slots=True)
class Change:
    """One change to a stack: `Add`, `Modify` or `Remove`; `replaced` is `True`, `False` or `Conditional`."""

    action: str
    name: str
    kind: str
    replaced: str = "False"

    @property
    def loses(self) -> bool:
        """Whether records or objects would no longer be the deployment's."""
        return self.kind in _KEPT and (self.action == "Remove" or self.replaced == "True")


class Stack:
    """One stack by name; `pause` waits between two looks, and `say` is told what happens."""

    def __init__(
        self, clients: Clients, name: str, say: Say, pause: Callable[[float], None] = time.sleep, every: float = PAUSE
    ) -> None:
        self._clients = clients
        self.name = name
        self._say = say
        self._pause = pause
        self._every = every
        self._told: set[str] = set()

    @property
    def _client(self) -> Any:
        return self._clients("cloudformation")

    # ---------------------------------------------------------------- looking

    def describe(self) -> dict[str, Any] | None:
        """The stack, None if there is none."""
        try:
            with reported(f"describe the stack {self.name}"):
                found: dict[str, Any] = self._client.describe_stacks(StackName=self.name)["Stacks"][0]
        except StoreError as error:
            if code(error.__cause__) == "ValidationError" and "does not exist" in str(error):
                return None
            raise
        return found

    def status(self) -> str | None:
        """Its status, None if there is none."""
        found = self.describe()
        return found["StackStatus"] if found else None

    def outputs(self) -> dict[str, str]:
        """What it says of itself."""
        found = self.describe() or {}
        return {one["OutputKey"].removesuffix("Output"): one["OutputValue"] for one in found.get("Outputs", [])}

    def kept(self) -> dict[str, str]:
        """The tables and buckets that outlive it, with their kind."""
        with reported(f"list the resources of {self.name}"):
            found = self._client.describe_stack_resources(StackName=self.name)["StackResources"]
        return {one["PhysicalResourceId"]: one["ResourceType"] for one in found if one["ResourceType"] in _KEPT}

    # ---------------------------------------------------------------- changing

    def plan(self, template: Mapping[str, str], parameters: Mapping[str, str], tags: Mapping[str, str]) -> str | None:
        """Make a change set; gives its name, None if nothing would change.

        `template` is TemplateBody or TemplateURL. StackFailed if CloudFormation refuses it.
        """
        self._clear()
        new = self.status() is None
        name = f"cirrus-{time.time_ns() // 1000}"
        with reported(f"plan changes to {self.name}"):
            self._client.create_change_set(
                StackName=self.name,
                ChangeSetName=name,
                ChangeSetType="CREATE" if new else "UPDATE",
                Capabilities=["CAPABILITY_IAM"],
                Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
                Tags=[{"Key": key, "Value": value} for key, value in tags.items()],
                **template,
            )
        return self._planned(name)

    def _clear(self) -> None:
        """Remove a stack that was never made: one whose creation was rolled back can only be deleted."""
        if self.status() in _DEAD:
            self.delete()

    def _planned(self, name: str) -> str | None:
        def ready() -> dict[str, Any] | None:
            told: dict[str, Any] = self._client.describe_change_set(StackName=self.name, ChangeSetName=name)
            return told if told["Status"] in ("CREATE_COMPLETE", "FAILED") else None

        found = self._await(f"plan changes to {self.name}", ready)
        if found["Status"] == "CREATE_COMPLETE":
            return name
        reason = str(found.get("StatusReason", ""))
        self.forget(name)
        if any(words in reason.lower() for words in _NOTHING):
            return None
        raise StackFailed(f"CloudFormation refuses the template: {reason}")

    def changes(self, change_set: str) -> list[Change]:
        """What a change set would do."""
        found: list[Change] = []
        asked = {"StackName": self.name, "ChangeSetName": change_set}
        while True:
            with reported(f"read the changes to {self.name}"):
                told = self._client.describe_change_set(**asked)
            found += (_change(one["ResourceChange"]) for one in told["Changes"] if "ResourceChange" in one)
            if not told.get("NextToken"):
                return found
            asked["NextToken"] = told["NextToken"]

    def forget(self, change_set: str) -> None:
        """Drop a change set; a stack that was only planned goes with it."""
        with reported(f"drop the plan for {self.name}"):
            self._client.delete_change_set(StackName=self.name, ChangeSetName=change_set)
        if self.status() == "REVIEW_IN_PROGRESS":
            self.delete()

    def apply(self, change_set: str) -> None:
        """Carry out a change set and wait; StackFailed tells why CloudFormation went back."""
        self._note()
        with reported(f"change {self.name}"):
            self._client.execute_change_set(StackName=self.name, ChangeSetName=change_set)
        status = self._settle()
        if status not in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
            raise StackFailed("\n".join([f"the stack {self.name} is {status}:", *self._reasons()]))

    def delete(self) -> None:
        """Delete the stack and wait; StackFailed tells what could not be deleted."""
        found = self.describe()
        if found is None:
            return
        self._note()
        named = found["StackId"]
        with reported(f"delete {self.name}"):
            self._client.delete_stack(StackName=self.name)
        status = self._settle(named)
        if status not in (None, "DELETE_COMPLETE"):
            raise StackFailed("\n".join([f"the stack {self.name} is {status}:", *self._reasons(named)]))

    # ---------------------------------------------------------------- waiting

    def _settle(self, named: str | None = None) -> str | None:
        def settled() -> tuple[str | None] | None:
            for line in self._news(named):
                self._say(line)
            status = self.status()
            busy = status is not None and (status.endswith("_IN_PROGRESS"))
            return None if busy and status != "REVIEW_IN_PROGRESS" else (status,)

        found: tuple[str | None] = self._await(f"change {self.name}", settled)
        return found[0]

    def _await(self, what: str, look: Callable[[], Any]) -> Any:
        deadline, pause = time.monotonic() + PATIENCE, self._every / 16
        while time.monotonic() < deadline:
            with reported(what):
                found = look()
            if found is not None:
                return found
            self._pause(pause)
            pause = min(pause * 2, self._every)
        raise StackFailed(f"cannot {what}: CloudFormation has not ended within {PATIENCE / 60:g} minutes")

    def _events(self, named: str | None = None) -> list[dict[str, Any]]:
        try:
            with reported(f"read what happened to {self.name}"):
                found: list[dict[str, Any]] = self._client.describe_stack_events(StackName=named or self.name)[
                    "StackEvents"
                ]
        except StoreError as error:
            if code(error.__cause__) == "ValidationError":
                return []
            raise
        return found

    def _note(self) -> None:
        """Take what has happened so far as known."""
        self._told |= {one["EventId"] for one in self._events()}

    def _news(self, named: str | None = None) -> Iterator[str]:
        for one in reversed(self._events(named)):
            if one["EventId"] not in self._told:
                self._told.add(one["EventId"])
                yield f"{one['ResourceStatus']:<28} {one['LogicalResourceId']}"

    def _reasons(self, named: str | None = None) -> list[str]:
        failed = [one for one in reversed(self._events(named)) if "FAILED" in one["ResourceStatus"]]
        told = [(one["LogicalResourceId"], str(one.get("ResourceStatusReason", "no reason"))) for one in failed]
        if any("DescribeEvents" in reason for _, reason in told):
            told = [one for one in told if "DescribeEvents" not in one[1]] + self._validation(named)
        lines = [f"  {name}: {reason}" for name, reason in dict.fromkeys(told) if "cancelled" not in reason]
        return lines[:_MOST_REASONS] or ["  no reason is told"]

    def _validation(self, named: str | None) -> list[tuple[str, str]]:
        """What CloudFormation found before it changed anything, which it tells apart from what happened."""
        with reported(f"read what happened to {self.name}"):
            found = self._client.describe_events(StackName=named or self.name, Filters={"FailedEvents": True})
        events = [one for one in found["OperationEvents"] if one.get("ValidationStatusReason")]
        last = [one for one in events if one.get("OperationId") == events[0].get("OperationId")]
        return [(str(one.get("LogicalResourceId")), str(one["ValidationStatusReason"])) for one in last]


def _change(told: Mapping[str, Any]) -> Change:
    return Change(
        told["Action"], told["LogicalResourceId"], told["ResourceType"], str(told.get("Replacement", "False"))
    )
