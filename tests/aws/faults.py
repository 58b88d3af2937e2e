"""Faults of AWS, put into a session's requests through botocore's event hooks."""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.exceptions import ReadTimeoutError
from botocore.httpsession import URLLib3Session


class Raw(io.BytesIO):
    """A response's body as botocore reads it."""

    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self.read()


@dataclass
class Fault:
    """What befalls the calls of an operation: those of these numbers (from 1), or all."""

    operation: str
    befall: Callable[[AWSPreparedRequest], Any]
    calls: frozenset[int] | None = None


@dataclass
class Faults:
    """Given to Clients as `prepare`; counts every attempt at every operation, and lets faults befall them."""

    planned: list[Fault] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    happened: list[str] = field(default_factory=list)

    def __call__(self, session: Any) -> None:
        session.register("before-send", self._befall)

    def plan(self, operation: str, befall: Callable[[AWSPreparedRequest], Any], *calls: int) -> None:
        """Let calls of an operation fail: those of these numbers, counted from now, or all."""
        self.counts[operation] = 0
        self.planned.append(Fault(operation, befall, frozenset(calls) or None))

    def _befall(self, request: AWSPreparedRequest, event_name: str = "", **_: Any) -> Any:
        operation = event_name.rpartition(".")[2]
        self.counts[operation] += 1
        for fault in self.planned:
            if fault.operation == operation and (fault.calls is None or self.counts[operation] in fault.calls):
                self.happened.append(operation)
                return fault.befall(request)
        return None


def answer(status: int, body: Any, request: AWSPreparedRequest) -> AWSResponse:
    """A response in the protocol of JSON services; XML ones read its status alone."""
    text = json.dumps(body).encode()
    headers = {"content-type": "application/x-amz-json-1.0", "content-length": str(len(text))}
    return AWSResponse(request.url, status, headers, Raw(text))


def throttled(request: AWSPreparedRequest) -> AWSResponse:
    """Too many requests."""
    return answer(400, {"__type": "ThrottlingException", "message": "Rate exceeded"}, request)


def broken(request: AWSPreparedRequest) -> AWSResponse:
    """The service has an internal error, and did nothing."""
    return answer(500, {"__type": "InternalServerError", "message": "try again"}, request)


def expired(request: AWSPreparedRequest) -> AWSResponse:
    """The credentials have expired."""
    return answer(400, {"__type": "ExpiredTokenException", "message": "The security token has expired"}, request)


def lost(request: AWSPreparedRequest) -> AWSResponse:
    """The service does it, and its reply is lost."""
    URLLib3Session().send(request)
    raise ReadTimeoutError(endpoint_url=request.url)


def unsent(request: AWSPreparedRequest) -> AWSResponse:
    """The request never reaches the service."""
    raise ReadTimeoutError(endpoint_url=request.url)


def unprocessed(request: AWSPreparedRequest) -> AWSResponse:
    """A batch of DynamoDB of which only the first half is processed, and nothing of a single entry."""
    reads = request.headers["X-Amz-Target"].endswith(b"BatchGetItem")
    body = json.loads(request.body)
    ((table, asked),) = body["RequestItems"].items()
    entries = asked["Keys"] if reads else asked
    done, rest = entries[: len(entries) // 2], entries[len(entries) // 2 :]
    left = {("UnprocessedKeys" if reads else "UnprocessedItems"): {table: {**asked, "Keys": rest} if reads else rest}}
    if not done:
        return answer(200, {"Responses": {}, **left}, request)
    body["RequestItems"][table] = {**asked, "Keys": done} if reads else done
    request.body = json.dumps(body).encode()
    request.headers["Content-Length"] = str(len(request.body))
    told = json.loads(URLLib3Session().send(request).content)
    return answer(200, {**told, **left}, request)


def conflicting(request: AWSPreparedRequest) -> AWSResponse:
    """A transaction that met another one about the same row, and did nothing."""
    given = json.loads(request.body)
    number = len(given.get("TransactItems") or given.get("TransactStatements"))
    reasons = [{"Code": "TransactionConflict"}, *[{"Code": "None"}] * (number - 1)]
    told = {"__type": "TransactionCanceledException", "message": "conflict", "CancellationReasons": reasons}
    return answer(400, told, request)
