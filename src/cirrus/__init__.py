"""Cirrus turns a stream of satellite scenes into clean STAC data: never twice, never lost, never a mystery."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cirrus.client import Client as Client

__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    """`cirrus.Client`, imported when it is asked for."""
    if name != "Client":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from cirrus.client import Client

    return Client
