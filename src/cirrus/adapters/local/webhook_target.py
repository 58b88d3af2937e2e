"""A webhook to which messages are posted: the body is the message's, its attributes are one JSON header."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from http.client import HTTPException
from typing import Any
from urllib.parse import urlsplit

from cirrus.adapters.local.messages import messages
from cirrus.core.jsontext import encode
from cirrus.errors import UploadError
from cirrus.ports.outbox import Delivery
from cirrus.ports.target import Failed

_TIMEOUT = 10.0
_BUDGET = 10.0  # seconds for all deliveries of a call, so that nobody else takes them meanwhile
HEADER = "X-Cirrus-Attributes"


class _Silent(Exception):
    """The webhook gives no answer to anybody."""


class WebhookTarget:
    """Posts to a URL; any answer of 2xx is success."""

    def __init__(self, url: str) -> None:
        self._url = url
        parts = urlsplit(url)
        self._shown = f"{parts.scheme}://{parts.hostname}" + (f":{parts.port}" if parts.port else "") + parts.path
        if parts.scheme not in {"http", "https"}:
            raise UploadError(self._shown, "http:// or https:// is expected")

    def send(self, deliveries: Sequence[Delivery]) -> dict[int, Failed]:
        """Post every message in order; once a payload's delivery fails its later ones are put off too.

        Where the webhook does not answer, or answers slowly, the rest is left for another time.
        """
        failures: dict[int, Failed] = {}
        stuck: set[str] = set()
        silent = ""
        until = time.monotonic() + _BUDGET
        for delivery in deliveries:
            if not silent and time.monotonic() > until:
                silent = f"{self._shown} is slow: not tried yet"
            if silent:
                failures[delivery.id] = Failed(silent, tried=False)
            elif delivery.payload_id in stuck:
                failures[delivery.id] = Failed("an earlier delivery of this payload failed", tried=False)
            elif error := self._send(delivery):
                failures[delivery.id] = Failed(str(error))
                stuck.add(delivery.payload_id)
                silent = str(error) if isinstance(error, _Silent) else ""
        return failures

    def _send(self, delivery: Delivery) -> Exception | None:
        try:
            for body, attributes in messages(delivery):
                self._post(body, attributes)
        except urllib.error.HTTPError as error:
            error.close()
            return UploadError(self._shown, f"the answer was {error.code}")
        except (OSError, HTTPException, ValueError) as error:
            reason = getattr(error, "reason", None) or error
            return _Silent(f"{self._shown} cannot be reached: {type(reason).__name__}")
        return None

    def _post(self, body: Any, attributes: Mapping[str, str | float]) -> None:
        headers = {"Content-Type": "application/json", HEADER: json.dumps(dict(attributes))}
        request = urllib.request.Request(self._url, data=encode(body), headers=headers)  # noqa: S310 - checked above
        with urllib.request.urlopen(request, timeout=_TIMEOUT) as answer:  # noqa: S310
            answer.read(1)
