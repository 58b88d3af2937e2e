"""The bell that lets control processes look at once."""

from __future__ import annotations

import os
import threading
from pathlib import Path

from cirrus.adapters.local.doorbell import FOLDER, Doorbell, Listener

PATIENCE = 30.0


def test_everybody_who_listens_hears_it(tmp_path: Path) -> None:
    heard = {name: threading.Event() for name in "ab"}
    listeners = [Listener(tmp_path, name, event.set) for name, event in heard.items()]
    Doorbell(tmp_path).ring()
    assert all(event.wait(PATIENCE) for event in heard.values())
    heard["b"].clear()
    listeners[0].close()
    Doorbell(tmp_path).ring()
    assert heard["b"].wait(PATIENCE)
    listeners[1].close()
    assert list((tmp_path / FOLDER).iterdir()) == []


def test_nobody_has_to_listen(tmp_path: Path) -> None:
    Doorbell(tmp_path).ring()
    Doorbell(tmp_path / "nowhere").ring()


def test_what_a_dead_listener_left_is_removed(tmp_path: Path) -> None:
    (tmp_path / FOLDER).mkdir()
    os.mkfifo(tmp_path / FOLDER / "dead")
    Doorbell(tmp_path).ring()
    assert not (tmp_path / FOLDER / "dead").exists()


def test_where_there_can_be_no_pipe_nothing_is_heard(tmp_path: Path) -> None:
    (tmp_path / FOLDER).write_text("a file in its place")
    Listener(tmp_path, "a", lambda: None).close()
    Doorbell(tmp_path).ring()


def test_a_listener_that_is_slow_is_not_waited_for(tmp_path: Path) -> None:
    gate = threading.Event()
    listener = Listener(tmp_path, "slow", lambda: gate.wait(PATIENCE))
    for _ in range(70_000):  # more than a pipe holds
        Doorbell(tmp_path).ring()
    gate.set()
    listener.close()
