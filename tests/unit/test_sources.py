"""By which href an Item is known, and what an execution tells of its inputs."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cirrus.core.sources import Source, href, with_self
from cirrus.flow.given import Given


def links(**hrefs: Any) -> dict[str, Any]:
    return {"id": "a", "links": [{"rel": rel, "href": where} for rel, where in hrefs.items()]}


@pytest.mark.parametrize(
    ("item", "known_by"),
    [
        (links(self="https://x.example/a", canonical="s3://b/a"), "https://x.example/a"),
        (links(canonical="s3://b/a", via="https://y.example"), "s3://b/a"),
        (links(via="/data/a.json", derived_from="s3://b/raw"), "/data/a.json"),
        (links(self="./a.json", canonical="s3://b/a"), "s3://b/a"),
        (links(self="./a.json"), None),
        (links(self=None), None),
        ({"id": "a", "links": None}, None),
        ({"id": "a", "links": ["x"]}, None),
        ({"id": "a"}, None),
    ],
)
def test_the_href_of_an_item(item: dict[str, Any], known_by: str | None) -> None:
    assert Source.of(item) == Source("a", known_by)


def test_a_self_link_to_where_an_item_was_read() -> None:
    assert href(with_self({"id": "a"}, "/in/a.json")) == "/in/a.json"
    assert href(with_self(links(self="./a.json"), "/in/a.json")) == "/in/a.json"
    own = links(self="s3://b/a")
    assert with_self(own, "/in/a.json") == own


@pytest.mark.parametrize("padding", [0, 200_000])
def test_what_an_execution_was_given(padding: int) -> None:
    features = [{**links(self="s3://b/a"), "text": "x" * padding}, {"id": "b"}]
    given = Given(json.dumps({"features": features}).encode())
    assert json.loads(given.sources()) == [["a", "s3://b/a"], ["b", None]]
    assert json.loads(Given(b"").sources()) == json.loads(Given(b"[1]").sources()) == []
