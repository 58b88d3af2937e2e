"""Which states look inside their data: what is passed on unopened is never decoded, copied or encoded.

Decided from the definition when it is loaded. Only JSONPath states can pass a text on; whatever is in doubt looks.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Raw = Mapping[str, Any]


def opaque_input(raw: Raw, kind: str) -> bool:
    """Whether a JSONPath state never looks inside its input; `kind` is the integration of a Task."""
    look = LOOKS.get(raw["Type"])
    return look is not None and _whole(raw, "InputPath") and not look(raw, kind)


def opaque_result(raw: Raw, kind: str) -> bool:
    """Whether a JSONPath Task never looks inside its task's result, and lets nothing but the whole of it go on."""
    if "ResultSelector" in raw or "Assign" in raw:
        return False
    if "ResultPath" in raw and raw["ResultPath"] is None:
        return True
    wanted = "$.Payload" if kind == "lambda:invoke" else "$"  # what lambda:invoke answers stands around the result
    return _whole(raw, "ResultPath") and raw.get("OutputPath", "$") == wanted


def _task(raw: Raw, kind: str) -> bool:
    if raw.keys() & {"TimeoutSecondsPath", "HeartbeatSecondsPath"} or "RoleArn.$" in raw.get("Credentials", {}):
        return True
    if "Parameters" in raw:
        return kind != "lambda:invoke" or not _invokes_with_input(raw["Parameters"]) or _placed(raw)
    return kind not in ("lambda", "activity") or _placed(raw)


def _invokes_with_input(parameters: Any) -> bool:
    """Whether the parameters of `lambda:invoke` are texts, and the input as its payload."""
    if not isinstance(parameters, dict) or parameters.get("Payload.$") != "$" or "Payload" in parameters:
        return False
    rest = {name: value for name, value in parameters.items() if name != "Payload.$"}
    return all(isinstance(value, str) and not name.endswith(".$") for name, value in rest.items())


def _parallel(raw: Raw, kind: str) -> bool:
    return "Parameters" in raw or _placed(raw)


def _placed(raw: Raw) -> bool:
    """Whether the result is put inside the input, or a path follows into what of the input goes on."""
    if "ResultPath" in raw and raw["ResultPath"] is None:
        return not _whole(raw, "OutputPath")
    return not _whole(raw, "ResultPath")


def _pass(raw: Raw, kind: str) -> bool:
    given = _whole(raw, "ResultPath") or raw["ResultPath"] is None
    return "Parameters" in raw or "Assign" in raw or not given or not _whole(raw, "OutputPath")


def _wait(raw: Raw, kind: str) -> bool:
    return bool(raw.keys() & {"SecondsPath", "TimestampPath", "Assign"}) or not _whole(raw, "OutputPath")


def _succeed(raw: Raw, kind: str) -> bool:
    return not _whole(raw, "OutputPath")


def _fail(raw: Raw, kind: str) -> bool:
    return bool(raw.keys() & {"ErrorPath", "CausePath"})


def _whole(raw: Raw, field: str) -> bool:
    return bool(raw.get(field, "$") == "$")


LOOKS = {
    "Task": _task,
    "Parallel": _parallel,
    "Pass": _pass,
    "Wait": _wait,
    "Succeed": _succeed,
    "Fail": _fail,
}
"""Whether a state of a type looks inside an input that InputPath leaves whole; types that are not here always do."""
