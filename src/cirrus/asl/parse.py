"""The door to the language: `parse` makes a Machine, `check` says what is wrong or will hurt."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cirrus.asl import data
from cirrus.asl.check import check_machine
from cirrus.asl.compile import compile_scope
from cirrus.asl.definition import Machine
from cirrus.asl.inventory import task_resources
from cirrus.asl.source import Source, Unusable, read_source, unusable
from cirrus.errors import Diagnostic, InvalidDefinition

Definition = str | bytes | Mapping[str, Any]


def parse(
    definition: Definition,
    *,
    machine_type: str = "STANDARD",
    supported_only: bool = False,
    data_limit: int = data.LIMIT,
    name: str = "definition",
) -> Machine:
    """Compile a definition, JSON or YAML; raises InvalidDefinition with every error found.

    With `supported_only` a task's resource that Cirrus cannot run outside AWS is an error, not a warning.
    """
    source, findings = examine(definition, machine_type, supported_only)
    errors = [finding for finding in findings if finding.severity == "ERROR"]
    if errors or source is None:
        raise InvalidDefinition(errors, name)
    raw = source.value
    return Machine(
        scope=compile_scope(raw, raw.get("QueryLanguage", "JSONPath")),
        type=machine_type,
        timeout=raw.get("TimeoutSeconds", 300 if machine_type == "EXPRESS" else None),
        comment=raw.get("Comment", ""),
        resources=tuple(task_resources(raw)),
        definition=raw,
        data_limit=data_limit,
    )


def check(definition: Definition, *, machine_type: str = "STANDARD", supported_only: bool = False) -> list[Diagnostic]:
    """Every finding about a definition: errors as AWS would refuse it, then warnings."""
    return examine(definition, machine_type, supported_only)[1]


def examine(definition: Definition, machine_type: str, supported_only: bool) -> tuple[Source | None, list[Diagnostic]]:
    """The definition as a value, None if it is none, and every finding about it."""
    try:
        source = read_source(definition)
    except Unusable as problem:
        return None, [unusable(problem)]
    findings = check_machine(source, machine_type, supported_only)
    return source, sorted(findings, key=lambda finding: finding.severity != "ERROR")
