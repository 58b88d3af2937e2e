"""Ended: what an engine elsewhere tells of an execution that has ended, made into its conclusion."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cirrus import asl
from cirrus.core.execution_id import from_arn
from cirrus.core.jsontext import decode
from cirrus.core.keys import named_execution
from cirrus.core.payload import reference
from cirrus.core.payload_id import parse
from cirrus.errors import InvalidPayload, StoreError
from cirrus.flow.conclude import concluded
from cirrus.flow.home import Home
from cirrus.flow.start import output
from cirrus.ports.state_db import Conclusion

_ENDS = frozenset({"SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"})
_CUT = "~"


@dataclass(frozen=True, slots=True)
class Told:
    """What an event of the engine says: what it leaves out is None."""

    arn: str
    status: str
    input: str | None = None
    output: str | None = None
    error: str | None = None
    cause: str | None = None
    redrives: int | None = None


def told(event: Mapping[str, Any]) -> Told | None:
    """An EventBridge event 'Step Functions Execution Status Change' as it is; None if it is about no end."""
    detail = event.get("detail")
    if not isinstance(detail, Mapping) or not isinstance(detail.get("executionArn"), str):
        raise InvalidPayload("detail.executionArn: an event of Step Functions is expected")
    if detail.get("status") not in _ENDS:
        return None
    texts = {name: detail.get(name) for name in ("input", "output", "error", "cause")}
    for name in ("input", "output"):
        if (detail.get(f"{name}Details") or {}).get("included") is False:
            texts[name] = None
    return Told(detail["executionArn"], detail["status"], **texts, redrives=detail.get("redriveCount"))


def ended(home: Home, one: Told, now: int) -> Conclusion | None:
    """The conclusion of an execution; None if it is none of ours. What the event leaves out is asked for."""
    status, error, cause = one.status, one.error, one.cause
    payload_id = _payload_id(home, one.input)
    result: Any = None if one.output is None else asl.Text(one.output.encode())
    if payload_id is None or (status == "SUCCEEDED" and result is None) or (status == "FAILED" and cause is None):
        assert home.engine is not None
        found = home.engine.describe(one.arn)
        if found is None:
            return None
        if status == "SUCCEEDED" and found.output is None:
            raise StoreError(f"{one.arn} has succeeded, but what it returned cannot be read yet")
        payload_id = payload_id or _valid(found.payload_id)
        result = output(found) if found.output is not None else result
        error, cause = error or found.error, cause or found.cause
    if payload_id is None:
        return None
    workflow = parse(payload_id).workflow
    end = concluded(home, payload_id, workflow, from_arn(one.arn), status, result, error, cause, now)
    end.redrives = one.redrives or 0
    return end


def asked_again(home: Home, one: Told, end: Conclusion, now: int) -> Conclusion | None:
    """The end that the engine tells of now, for one that was refused and did not say how often it had gone on.

    None where that is known, or where nothing else comes of it.
    """
    if one.redrives is not None or home.engine is None:
        return None
    found = home.engine.describe(one.arn)
    if found is None or found.status not in _ENDS or not found.redrives:
        return None
    who = (home, end.payload_id, parse(end.payload_id).workflow, end.execution_id)
    later = concluded(*who, found.status, output(found), found.error, found.cause, now)
    later.redrives = found.redrives
    return later


def _payload_id(home: Home, text: str | None) -> str | None:
    """The id in an execution's input: its payload's own, or the one that the key of the payload names."""
    try:
        value = decode(text) if text is not None else None
    except InvalidPayload:
        return None
    url = reference(value)
    if url is not None:
        named = named_execution(home.payloads.key(url)) if home.payloads.owns(url) else None
        return _valid(named.id_key) if named and _CUT not in named.id_key else None
    return _valid(value.get("id")) if isinstance(value, dict) else None


def _valid(given: Any) -> str | None:
    try:
        return str(parse(given)) if isinstance(given, str) else None
    except InvalidPayload:
        return None
