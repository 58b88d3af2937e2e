"""A file to which messages are appended, one JSON object a line: `body` and `attributes`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cirrus.adapters.local.append import append
from cirrus.adapters.local.messages import messages
from cirrus.core.jsontext import encode
from cirrus.ports.outbox import Delivery
from cirrus.ports.target import Failed


class FileTarget:
    """Appends to a file, and has it on disk before it says so."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def send(self, deliveries: Sequence[Delivery]) -> dict[int, Failed]:
        """Append the messages of all deliveries with one write. StoreError if the file cannot be written."""
        lines = [
            encode({"body": body, "attributes": attributes}) + b"\n"
            for delivery in deliveries
            for body, attributes in messages(delivery)
        ]
        append(self._path, lines)
        return {}
