"""Secrets in the system's keyring, under the service `cirrus`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib import import_module
from typing import Any

from cirrus.adapters.secrets.document import decode
from cirrus.errors import MissingExtra, NotFound, StoreError

SERVICE = "cirrus"


class KeyringSecrets:
    """Secrets that the system keeps for this user; each is a JSON object."""

    def read(self, name: str) -> dict[str, Any]:
        """The keys of an entry."""
        text = self._call("get_password", name)
        if text is None:
            raise NotFound("secret", f"keyring:{name}", "make it with `cirrus secrets set`")
        return decode(text, f"keyring:{name}")

    def stamp(self, name: str) -> None:
        """Nothing cheaper than reading tells whether a secret has changed."""

    def write(self, name: str, keys: Mapping[str, Any]) -> None:
        """An entry in the place of the old one."""
        self._call("set_password", name, json.dumps(dict(keys)))

    def _call(self, method: str, name: str, *more: str) -> Any:
        try:
            keyring = import_module("keyring")
        except ImportError:
            raise MissingExtra("the system keyring", "keyring") from None
        try:
            return getattr(keyring, method)(SERVICE, name, *more)
        except Exception as error:
            hint = " (is a keyring service running for this user?)" if "NoKeyring" in type(error).__name__ else ""
            raise StoreError(f"keyring:{name} cannot be used: {type(error).__name__}{hint}") from None
