"""post-batch: the output payload of a Batch job, or the job's error under its own name."""

from __future__ import annotations

from typing import Any

from cirrus import asl
from cirrus.core.jsontext import decode
from cirrus.core.keys import batch_error_key
from cirrus.deployed import Deployed
from cirrus.entry.lambdas.opened import deployed, named
from cirrus.errors import CirrusError, InvalidPayload, NotFound, StoreError
from cirrus.flow.batch import post_batch
from cirrus.flow.home import Home
from cirrus.flow.result import Refused


def lambda_handler(event: Any, _context: Any) -> Any:
    """What Lambda calls."""
    return handle(deployed(), event)


def handle(where: Deployed, event: Any) -> Any:
    """The output payload, or its URL where it is too large; raises the error of the job under its own name."""
    home = where.home()
    try:
        told = _told(home, event)
        if told is not None:
            raise named(*told)
        result = post_batch(home, event)
    except Refused as error:
        raise named(error.error, str(error)) from None
    if result.error is not None:
        raise named(result.error, _message(result.cause))
    return decode(result.output.text) if isinstance(result.output, asl.Text) else result.output


def _message(cause: str | None) -> str:
    try:
        value = decode(cause or "")
    except InvalidPayload:
        return cause or ""
    return str(value["errorMessage"]) if isinstance(value, dict) and "errorMessage" in value else cause or ""


def _told(home: Home, event: Any) -> tuple[str, str] | None:
    """The error that the task wrapper has left beside where its output was to go."""
    try:
        job = decode(event["error"]["Cause"]) if isinstance(event, dict) and "error" in event else {}
        url = job["Parameters"]["url_out"]
        found = decode(home.payloads.get(batch_error_key(url)))
        return str(found["errorType"]), str(found["errorMessage"])
    except StoreError:
        raise
    except (KeyError, TypeError, NotFound, CirrusError):
        return None
