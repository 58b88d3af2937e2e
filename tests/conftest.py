from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

SHARED = Path(__file__).resolve().parents[2] / "shared"
LOCAL = ("127.", "::1", "localhost", "0.0.0.0", "::")

settings.register_profile(
    "steady", derandomize=True, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("steady")


class NetworkBlockedError(OSError):
    """A test tried to reach another machine."""


def _guarded(method: str) -> Any:
    real = getattr(socket.socket, method)

    def guard(self: socket.socket, address: Any, *rest: Any) -> Any:
        if self.family in {socket.AF_INET, socket.AF_INET6} and not str(address[0]).startswith(LOCAL):
            raise NetworkBlockedError(f"tests reach no other machine, and this one wanted {address[0]!r}")
        return real(self, address, *rest)

    return guard


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    for method in ("connect", "connect_ex"):
        monkeypatch.setattr(socket.socket, method, _guarded(method))


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Credentials and settings of whoever runs the tests are none of theirs."""
    for name in list(os.environ):
        if name.startswith(("CIRRUS_", "AWS_", "GOOGLE_APPLICATION", "AZURE_")):
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real test data that stands beside the repository."""
    if not (SHARED / "data").is_dir():
        pytest.skip(f"there is no test data in {SHARED.name}/data beside the repository")
    return SHARED
