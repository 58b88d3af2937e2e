"""A secret as the text that files, keyrings and services keep: one JSON object."""

from __future__ import annotations

import json
from typing import Any

from cirrus.errors import StoreError


def decode(text: str, where: str) -> dict[str, Any]:
    """The keys in a text; StoreError, which does not show it, if it is no JSON object."""
    try:
        keys = json.loads(text)
    except ValueError:
        keys = None
    if not isinstance(keys, dict):
        raise StoreError(f"{where} is no JSON object of keys such as aws_access_key_id")
    return keys
