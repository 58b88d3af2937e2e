"""Process definitions as people write them in a file: one, an array of them, or a whole payload, with variables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cirrus.core.definition import check_process
from cirrus.core.jsontext import decode
from cirrus.core.substitute import substitute_payload
from cirrus.errors import InvalidPayload


def read_process(
    text: str, source: str, variables: Mapping[str, str] | None = None, workflow: str | None = None
) -> list[Any]:
    """The process definitions in a text, its variables filled in; InvalidPayload names the source and what is wrong.

    `workflow` is that of the first one, if it names none or another.
    """
    try:
        value = decode(substitute_payload(text, variables or {}))
    except InvalidPayload as error:
        raise InvalidPayload([f"{source}: {problem}" for problem in error.problems]) from None
    value = value.get("process", value) if isinstance(value, dict) else value
    process = value if isinstance(value, list) else [value]
    if workflow is not None and process and isinstance(process[0], dict):
        process = [{**process[0], "workflow": workflow}, *process[1:]]
    if problems := check_process(process):
        raise InvalidPayload([f"{source}: {problem}" for problem in problems])
    return process
