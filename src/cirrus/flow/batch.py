"""Batch jobs between `pre-batch` and `post-batch`: the payload travels by URL, a failed job tells its reason.

Facts of existing deployments: pre-batch gives {"url", "url_out"}; a job's parameters carry both; post-batch takes the
job's description, or under `error` what was caught.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from cirrus.core.function_name import function_name
from cirrus.core.jsontext import decode, encode
from cirrus.core.keys import batch_key, batch_output_key
from cirrus.core.payload import reference
from cirrus.errors import CirrusError, InvalidPayload
from cirrus.flow.home import Home
from cirrus.flow.result import Refused, Result, Wanted, failure, inline, text_of

_NAMED_ERROR = re.compile(r"(?:([.\w]+):)?\s*(.*)", re.DOTALL)


def pre_batch(home: Home, given: Any, payload_id: str) -> Result:
    """Keep the payload where a job finds it; gives the URLs of it and of the job's output."""
    key = batch_key(home.root, payload_id, f"{home.chance():016x}{home.chance():016x}")
    url = home.payloads.put(key, text_of(home, given))
    return Result({"url": url, "url_out": home.payloads.url(batch_output_key(key))})


def post_batch(home: Home, given: Any) -> Result:
    """The output payload of a job, or the job's error under its own name."""
    if not isinstance(given, dict):
        raise Refused("InvalidPayload", "post-batch takes the result of a batch job, or its error")
    if "error" in given:
        return _error(given["error"])
    parameters = given.get("Parameters")
    url = parameters.get("url_out") if isinstance(parameters, dict) else None
    if url is None:
        url = given.get("url_out") or reference(given)
    return Result(inline(home, _read(home, url)) if isinstance(url, str) else given)


def _error(error: Any) -> Result:
    cause = error.get("Cause") if isinstance(error, dict) else None
    try:
        job = decode(cause) if isinstance(cause, str) else {}
    except InvalidPayload:
        job = {}
    reason = job.get("StatusReason") if isinstance(job, dict) else None
    found = _NAMED_ERROR.fullmatch(reason if isinstance(reason, str) else str(cause or error))
    assert found
    return failure(found[1] or "UnknownError", found[2])


def job(home: Home, parameters: Any, tasks: Collection[str]) -> Wanted:
    """The attempt at the task that a job definition names, with the payload at Parameters.url."""
    name = function_name(str(parameters.get("JobDefinition", "")))
    if name not in tasks:
        raise Refused("Batch.ClientException", f"JobDefinition: the project has no task {name!r}")
    given = parameters.get("Parameters")
    url = given.get("url") if isinstance(given, dict) else None
    if not isinstance(url, str):
        raise Refused("Batch.ClientException", "Parameters.url: the URL of the job's payload is expected")
    described = {
        "JobName": str(parameters.get("JobName", name)),
        "JobQueue": str(parameters.get("JobQueue", "local")),
        "JobDefinition": parameters["JobDefinition"],
        "JobId": f"{home.chance():016x}",
        "Parameters": {**given, "url_out": given.get("url_out") or batch_output_key(url)},
    }
    return Wanted(name, _read(home, url), job=described)


def submitted(wanted: Wanted) -> dict[str, Any]:
    """What submitting a job answers at once."""
    assert wanted.job is not None
    return {name: wanted.job[name] for name in ("JobName", "JobId")}


def job_result(
    home: Home, described: Mapping[str, Any], output: bytes | None, error: str | None, cause: str | None
) -> Result:
    """A job's description once it has ended, its output kept at Parameters.url_out."""
    if output is not None:
        unwritten = _write(home, described["Parameters"]["url_out"], output)
        if unwritten is not None:
            return unwritten
        return Result({**described, "Status": "SUCCEEDED", "Attempts": [{"Container": {"ExitCode": 0}}]})
    try:
        told = decode(cause or "{}")
    except InvalidPayload:
        told = {}
    message = told.get("errorMessage", cause) if isinstance(told, dict) else cause
    reason = f"{error}: {message}"
    attempt = {"Container": {"ExitCode": 1, "Reason": str(error)}, "StatusReason": reason}
    detail = {**described, "Status": "FAILED", "StatusReason": reason, "Attempts": [attempt]}
    return Result(error="States.TaskFailed", cause=encode(detail).decode())


def _read(home: Home, url: str) -> bytes:
    return home.payloads.get(url) if home.payloads.owns(url) else home.objects.get(url)


def _write(home: Home, url: str, body: bytes) -> Result | None:
    """Keep a job's output; a place of its own that cannot be written fails the job, and holds up nobody else."""
    if home.payloads.owns(url):
        home.payloads.put(home.payloads.key(url), body)
        return None
    try:
        home.objects.put(url, body, "application/json")
    except CirrusError as error:
        return failure(type(error).__name__, str(error))
    return None
