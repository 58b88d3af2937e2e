from __future__ import annotations

import socket

import pytest


def test_other_machines_cannot_be_reached() -> None:
    with socket.socket() as client, pytest.raises(OSError, match="no other machine"):
        client.connect(("192.0.2.1", 80))


def test_this_machine_can() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as client:
        client.connect(server.getsockname())
