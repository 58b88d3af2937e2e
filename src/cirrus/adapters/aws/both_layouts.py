"""Payloads of existing deployments: where ours are not, those of version 1 are looked for.

Version 1 keeps the input of a payload's last run as `<payload id>/input.json`, and outputs only in the history of Step
Functions, for 90 days. Nothing is written there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from cirrus.adapters.aws.payloads import S3Payloads
from cirrus.core.execution_id import Arns
from cirrus.core.keys import NamedBody, named_execution
from cirrus.core.payload_id import parse
from cirrus.errors import InvalidPayload, NotFound
from cirrus.ports.engine import Described

Describe = Callable[[str], Described | None]


def old_input_key(payload_id: str) -> str:
    """Where version 1 keeps the input of a payload's last run."""
    return f"{payload_id}/input.json"


class BothLayouts:
    """The payload store port over a store in our layout, for reading what came before it too."""

    def __init__(self, payloads: S3Payloads, arns: Arns, describe: Describe) -> None:
        self._payloads = payloads
        self._arns = arns
        self._describe = describe

    def put(self, key: str, body: bytes) -> str:
        """Keep a body and give its URL; a second put under a key replaces the first."""
        return self._payloads.put(key, body)

    def get(self, url: str) -> bytes:
        """The body at a URL of this store, in either layout. NotFound if there is none, StoreError as ever."""
        try:
            return self._payloads.get(url)
        except NotFound:
            found = self.old(url)
            if found is None:
                raise
            return found

    def get_many(self, urls: Sequence[str]) -> list[bytes | None]:
        """The bodies at URLs of this store, in that order, None where there is none; StoreError as `get`."""
        found = self._payloads.get_many(urls)
        return [self.old(url) if body is None else body for url, body in zip(urls, found, strict=True)]

    def old(self, url: str) -> bytes | None:
        """What version 1 kept of the body that a URL of ours names; None if it kept nothing, or not so long."""
        named = named_execution(self._payloads.key(url))
        if named is None:
            return None
        return self._old_input(named.id_key) if named.body == "input" else self._old_output(named)

    def _old_input(self, payload_id: str) -> bytes | None:
        (found,) = self._payloads.get_many([self._payloads.url(old_input_key(payload_id))])
        return found

    def _old_output(self, named: NamedBody) -> bytes | None:
        try:
            workflow = parse(named.id_key).workflow
        except InvalidPayload:
            return None
        told = self._describe(self._arns.execution(workflow, named.execution_id))
        return None if told is None else told.output

    def owns(self, url: str) -> bool:
        """Whether a URL is one of this store's."""
        return self._payloads.owns(url)

    def key(self, url: str) -> str:
        """The key that a URL of this store names."""
        return self._payloads.key(url)

    def url(self, key: str) -> str:
        """The URL of a key, whether or not something stands there."""
        return self._payloads.url(key)
