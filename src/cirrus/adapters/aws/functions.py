"""The functions of a deployment: which there are, and calling one."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from cirrus.adapters.aws.clients import Clients
from cirrus.adapters.aws.faults import code, reported
from cirrus.core.jsontext import decode
from cirrus.errors import InvalidPayload, NotFound, StoreError

LARGEST = 6_000_000


@dataclass(frozen=True, slots=True)
class Called:
    """What came of a call: `output` (JSON text), or `error` and `cause`; `log` is the end of what was printed."""

    output: bytes | None
    error: str | None
    cause: str | None
    log: bytes


class LambdaFunctions:
    """Functions whose names begin with a deployment's prefix; `clients` are to try once and to wait long."""

    def __init__(self, clients: Clients, prefix: str) -> None:
        self._clients = clients
        self._prefix = prefix

    def all(self) -> Iterator[dict[str, Any]]:
        """Every function: its name in the deployment and its full one, what runs it, its limits."""
        asked: dict[str, Any] = {}
        while True:
            with reported("list functions"):
                answer = self._clients("lambda").list_functions(**asked)
            for one in answer.get("Functions", []):
                if one["FunctionName"].startswith(self._prefix):
                    yield _shown(one, self._prefix)
            if not answer.get("NextMarker"):
                return
            asked["Marker"] = answer["NextMarker"]

    def call(self, name: str, payload: bytes) -> Called:
        """Call a function, by its name in the deployment or its full one, wait for it. NotFound if there is none."""
        full = name if name.startswith(self._prefix) else f"{self._prefix}{name}"
        if len(payload) > LARGEST:
            raise InvalidPayload(f"a function takes {LARGEST} bytes at most: give it the URL of the payload")
        try:
            with reported(f"call {full}"):
                answer = self._clients("lambda").invoke(FunctionName=full, Payload=payload, LogType="Tail")
                body: bytes = answer["Payload"].read()
        except StoreError as error:
            if code(error.__cause__) == "ResourceNotFoundException":
                known = ", ".join(sorted(one["name"] for one in self.all())) or "none"
                raise NotFound("function", full, f"there are: {known}") from None
            raise
        log = base64.b64decode(answer.get("LogResult") or "")
        if not answer.get("FunctionError"):
            return Called(body or b"null", None, None, log)
        told = decode(body or b"{}")
        kind = told.get("errorType") if isinstance(told, dict) else None
        return Called(None, str(kind or answer["FunctionError"]), body.decode(), log)


def _shown(one: dict[str, Any], prefix: str) -> dict[str, Any]:
    told = {
        "name": one["FunctionName"].removeprefix(prefix),
        "function": one["FunctionName"],
        "runtime": one.get("Runtime") or one.get("PackageType"),
        "handler": one.get("Handler"),
        "memory": one.get("MemorySize"),
        "timeout": one.get("Timeout"),
        "modified": one.get("LastModified"),
    }
    return {name: value for name, value in told.items() if value is not None}
