from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cirrus.adapters.local.file_target import FileTarget
from cirrus.adapters.local.messages import messages
from cirrus.adapters.local.webhook_target import HEADER, WebhookTarget
from cirrus.core.event import EventType
from cirrus.core.jsontext import encode
from cirrus.core.publication import publication
from cirrus.errors import StoreError, UploadError
from cirrus.ports.outbox import Delivery
from cirrus.testing.builders import event, item, payload_id

P = payload_id("a")
SAID = event(P, EventType.FAILED, error="Bad: ü")
EVENT = Delivery(1, "t", "event", P, encode(SAID.body()), 0)
ITEMS = Delivery(2, "t", "items", P, encode({"features": [item("a"), item("b")]}), 0)


def test_event_is_one_message() -> None:
    assert list(messages(EVENT)) == [(SAID.body(), SAID.attributes())]


def test_event_about_no_payload() -> None:
    said = event("unknown", EventType.RECORD_EXTRACT_FAILED)
    assert list(messages(Delivery(1, "t", "event", "unknown", encode(said.body()), 0))) == [
        (said.body(), {"event_type": "RECORD_EXTRACT_FAILED"})
    ]


def test_items_are_one_message_each() -> None:
    expected = [(item(name), publication(item(name)).attributes) for name in ("a", "b")]
    assert list(messages(ITEMS)) == expected


def test_file_gets_one_line_a_message(tmp_path: Path) -> None:
    file = tmp_path / "new" / "out.ndjson"
    target = FileTarget(file)
    assert target.send([EVENT]) == {}
    assert target.send([ITEMS]) == {}
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert [line["body"].get("id", line["body"].get("event_type")) for line in lines] == ["FAILED", "a", "b"]
    assert lines[0]["attributes"]["workflow"] == "w"


def test_file_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "x").touch()
    with pytest.raises(StoreError, match="cannot write"):
        FileTarget(tmp_path / "x" / "y").send([EVENT])


class Hook(http.server.BaseHTTPRequestHandler):
    received: list[tuple[Any, Any]]
    answers: list[int]

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.received.append((body, json.loads(self.headers[HEADER])))
        self.send_response(self.answers.pop(0) if self.answers else 204)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def hook() -> Iterator[tuple[str, type[Hook]]]:
    kind = type("Hook", (Hook,), {"received": [], "answers": []})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), kind) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/hook?token=secret", kind
        server.shutdown()
        thread.join()


def test_webhook_gets_every_message(hook: tuple[str, type[Hook]]) -> None:
    url, kind = hook
    assert WebhookTarget(url).send([EVENT, ITEMS]) == {}
    assert kind.received[0] == (SAID.body(), SAID.attributes())
    assert [body["id"] for body, _ in kind.received[1:]] == ["a", "b"]


def test_webhook_that_refuses_puts_off_what_follows_of_the_payload(hook: tuple[str, type[Hook]]) -> None:
    url, kind = hook
    kind.answers[:] = [503]
    other = Delivery(3, "t", "event", payload_id("b"), EVENT.body, 0)
    failures = WebhookTarget(url).send([EVENT, ITEMS, other])
    assert failures.keys() == {1, 2}
    assert failures[1].error.endswith("/hook: the answer was 503")
    assert "earlier delivery" in failures[2].error
    assert not any(failed.final or "secret" in failed.error for failed in failures.values())


def test_webhook_that_is_not_there() -> None:
    (failed,) = WebhookTarget("http://user:secret@127.0.0.1:9/hook").send([EVENT]).values()
    assert "cannot be reached" in failed.error
    assert "secret" not in failed.error


def test_webhook_needs_http() -> None:
    with pytest.raises(UploadError, match="http:// or https://"):
        WebhookTarget("ftp://host/x")
