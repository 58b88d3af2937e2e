"""Task states: the resource and what it can do, the limits on its time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cirrus.asl.check_value import check_expressions, check_number, check_path
from cirrus.asl.findings import Findings, kind_of, nearest
from cirrus.asl.resource import INVOKE, OPTIMISED, REQUIRED, SERVICES, SUPPORTED, Resource, read_resource

Raw = Mapping[str, Any]

SECONDS = (1, 99_999_999)


def check_task(raw: Raw, jsonata: bool, pointer: str, findings: Findings) -> None:
    """A Task state."""
    check_number(raw, "TimeoutSeconds", SECONDS, jsonata, pointer, findings)
    check_number(raw, "HeartbeatSeconds", SECONDS, jsonata, pointer, findings)
    check_heartbeat(raw, pointer, findings)
    check_credentials(raw, jsonata, pointer, findings)
    if not raw.get("Retry") and not raw.get("Catch"):
        findings.warn(
            pointer, "Without Retry or Catch the first error of this task ends the execution", "NO_ERROR_HANDLING"
        )
    if not findings.required(raw, ("Resource",), pointer):
        return
    where = f"{pointer}/Resource"
    text = raw["Resource"]
    resource = read_resource(text) if isinstance(text, str) else None
    if resource is None:
        findings.error(where, "Value is not a valid resource ARN")
        return
    check_resource(resource, where, findings)
    check_parameters(raw, resource, jsonata, pointer, findings)
    if resource.waits and not raw.keys() & {
        "TimeoutSeconds",
        "TimeoutSecondsPath",
        "HeartbeatSeconds",
        "HeartbeatSecondsPath",
    }:
        findings.warn(pointer, "Without TimeoutSeconds it waits for ever where no answer comes", "NO_TIMEOUT")


def check_resource(resource: Resource, where: str, findings: Findings) -> None:
    """What the resource may do, in this type of machine and here."""
    kind, pattern = resource.action, resource.kind.removeprefix(resource.action)
    if kind in OPTIMISED and pattern not in OPTIMISED[kind]:
        findings.error(where, f"'{kind}' does not support '{pattern}' service integration")
    service = kind.partition(":")[0]
    if ":" in kind and service != "aws-sdk" and service not in SERVICES:
        hint = nearest(service, SERVICES)
        findings.error(where, f"'{service}' is no service that Step Functions integrates{hint}; try aws-sdk:{kind}")
    if kind.startswith("aws-sdk:") and pattern.startswith(".sync"):
        findings.error(where, f"'{kind}' does not support '{pattern}' service integration")
    if findings.machine_type == "EXPRESS":
        if pattern:
            findings.error(where, f"Express state machine does not support '{pattern}' service integration")
        if kind == "activity":
            findings.error(where, "Express state machine does not support activity ARN")
    if resource.kind not in SUPPORTED:
        findings.unsupported(where, f"'{resource.kind}' runs")


def check_parameters(raw: Raw, resource: Resource, jsonata: bool, pointer: str, findings: Findings) -> None:
    """What an integration must be told, and what it cannot be."""
    field = "Arguments" if jsonata else "Parameters"
    given = raw.get(field)
    if not isinstance(given, dict):
        return
    names = set(given) if jsonata else {name.removesuffix(".$") for name in given}
    for name in REQUIRED.get(resource.action, ()):
        if name not in names:
            findings.error(f"{pointer}/{field}", f"The field '{name}' is required but was missing")
    for name in sorted(names - INVOKE) if resource.action == "lambda:invoke" else ():
        findings.error(f"{pointer}/{field}", f"The field '{name}' is not supported by Step Functions")


def check_heartbeat(raw: Raw, pointer: str, findings: Findings) -> None:
    """A heartbeat comes before the time is over."""
    timeout, heartbeat = raw.get("TimeoutSeconds"), raw.get("HeartbeatSeconds")
    numbers = isinstance(timeout, int | float) and isinstance(heartbeat, int | float)
    if numbers and heartbeat >= timeout:  # type: ignore[operator]
        findings.error(f"{pointer}/HeartbeatSeconds", "HeartbeatSeconds must be smaller than TimeoutSeconds")


def check_credentials(raw: Raw, jsonata: bool, pointer: str, findings: Findings) -> None:
    """A role to assume."""
    if "Credentials" not in raw:
        return
    value, where = raw["Credentials"], f"{pointer}/Credentials"
    if not isinstance(value, dict):
        findings.error(where, f"Credentials must be an object, not {kind_of(value)}")
        return
    findings.known(value, ("RoleArn",) if jsonata else ("RoleArn", "RoleArn.$"), where, "Credentials")
    if not isinstance(value.get("RoleArn", ""), str):
        findings.error(f"{where}/RoleArn", "RoleArn must be a string")
    if jsonata:
        check_expressions(value, where, findings)
    else:
        check_path(value, "RoleArn.$", where, findings, call=True)
