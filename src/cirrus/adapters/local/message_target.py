"""Messages that workflows send to queues and topics: a file for each, in a folder of the deployment, as NDJSON."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cirrus.adapters.local.append import append
from cirrus.core.jsontext import decode
from cirrus.core.keys import file_component
from cirrus.ports.outbox import Delivery
from cirrus.ports.target import Failed


class MessageTarget:
    """Appends messages to `<folder>/<queue or topic>.ndjson`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def send(self, deliveries: Sequence[Delivery]) -> dict[int, Failed]:
        """Append every message to its file, and have it on disk. StoreError if a file cannot be written."""
        files: dict[str, list[bytes]] = {}
        for delivery in deliveries:
            files.setdefault(file_component(decode(delivery.body)["to"]), []).append(delivery.body + b"\n")
        for name, lines in files.items():
            append(self._folder / f"{name}.ndjson", lines)
        return {}
