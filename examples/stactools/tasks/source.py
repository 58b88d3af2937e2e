"""Where an input Item says that its metadata lies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from stactask.exceptions import InvalidInput


def metadata_folder(item: dict[str, Any]) -> Path:
    """The folder that the asset `metadata` names; InvalidInput if there is none."""
    href = item.get("assets", {}).get("metadata", {}).get("href")
    if not isinstance(href, str):
        raise InvalidInput(f"Item {item['id']!r} needs an asset 'metadata' whose href is a folder")
    folder = Path(href.removeprefix("file://"))
    if not folder.is_dir():
        raise InvalidInput(f"Item {item['id']!r}, asset 'metadata': there is no folder {folder}")
    return folder
