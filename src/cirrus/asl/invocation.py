"""Calls of functions by `lambda:invoke`: what the function gets, and what surrounds its result."""

from __future__ import annotations

import json
from datetime import timedelta
from random import Random
from typing import Any

from cirrus.asl.clock import EPOCH
from cirrus.asl.intrinsics import uuid


class BadPayload(ValueError):
    """The function's input is a text that holds no JSON."""


def function_payload(kind: str, parameters: Any) -> Any:
    """The parameters as the service takes them: a Payload given as text is decoded, an absent one is {}."""
    if not kind.startswith("lambda:invoke") or not isinstance(parameters, dict):
        return parameters
    payload = parameters.get("Payload")
    if payload is None:
        return {**parameters, "Payload": {}}
    if not isinstance(payload, str):
        return parameters
    try:
        return {**parameters, "Payload": json.loads(payload)}
    except (ValueError, RecursionError) as error:
        raise BadPayload(f"Could not parse request body into json: {error}") from None


def wrap_invocation(result: Any, size: int, at: float, random: Random) -> dict[str, Any]:
    """The answer of `lambda:invoke` around a function's result."""
    request, trace = uuid(random), f"Root=1-{random.getrandbits(32):08x}-{random.getrandbits(96):024x}"
    headers = {
        "Connection": "keep-alive",
        "Content-Length": str(size),
        "Content-Type": "application/json",
        "Date": (EPOCH + timedelta(seconds=at)).strftime("%a, %d %b %Y %H:%M:%S GMT"),
        "X-Amz-Executed-Version": "$LATEST",
        "x-amzn-Remapped-Content-Length": "0",
        "x-amzn-RequestId": request,
        "X-Amzn-Trace-Id": trace,
    }
    return {
        "ExecutedVersion": "$LATEST",
        "Payload": result,
        "SdkHttpMetadata": {
            "AllHttpHeaders": {name: [value] for name, value in headers.items()},
            "HttpHeaders": headers,
            "HttpStatusCode": 200,
        },
        "SdkResponseMetadata": {"RequestId": request},
        "StatusCode": 200,
    }
