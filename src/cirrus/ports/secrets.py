"""Where secrets are kept: the environment, a file, a keyring, a service."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol


class SecretSource(Protocol):
    """Secrets by name; each is a set of keys such as aws_access_key_id.

    'Could not read' is a StoreError and never taken for 'not there'. No message holds a value.
    """

    def read(self, name: str) -> dict[str, Any]:
        """The keys of a secret; NotFound if there is none, StoreError if it cannot be read or used."""

    def stamp(self, name: str) -> object | None:
        """What is cheap to get, and another once the secret has changed; None where only reading it tells."""

    def write(self, name: str, keys: Mapping[str, Any]) -> None:
        """Keep a secret in place of what stood there; StoreError if that cannot be done here."""
