"""What an error of AWS means: a StoreError that names the call, never a secret; some codes mean more."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from cirrus.errors import StoreError


def code(error: Any) -> str:
    """The error code of a refused call, empty for one that got no answer."""
    response = getattr(error, "response", None)  # None too where the connection broke
    return str(response.get("Error", {}).get("Code", "")) if isinstance(response, dict) else ""


@contextmanager
def reported(what: str) -> Iterator[None]:
    """Errors of AWS leave as StoreError: what was tried, and the service's own words."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as error:
        told = error.response.get("Error", {})
        raise StoreError(f"cannot {what}: {told.get('Code')}: {told.get('Message')}"[:1000]) from error
    except BotoCoreError as error:
        raise StoreError(f"cannot {what}: {type(error).__name__}: {error}"[:1000]) from error
