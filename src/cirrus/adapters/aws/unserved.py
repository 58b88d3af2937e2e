"""Ports that a deployment on AWS does not have: whoever calls one is told what there is instead."""

from __future__ import annotations

from typing import Any

from cirrus.errors import ConfigError


class Unserved:
    """Every call is refused with ConfigError, which says what to do."""

    def __init__(self, what: str, instead: str) -> None:
        self._told = f"{what} are not kept by a deployment on AWS: {instead}"

    def __getattr__(self, name: str) -> Any:
        raise ConfigError("AWS", [self._told])
