from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from cirrus.core.payload_id import PayloadId, derive, parse
from cirrus.errors import InvalidPayload

PART = st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp"), exclude_characters="/"), min_size=1).filter(
    lambda text: text not in {".", ".."} and not text.startswith("workflow-")
)
WORKFLOW = st.from_regex(r"[A-Za-z0-9-]+", fullmatch=True)
ITEMS = st.lists(
    st.builds(lambda known, group: {"id": known, "collection": group}, PART, st.none() | PART), min_size=1, max_size=6
)


@given(WORKFLOW, ITEMS)
def test_derived_id_parses_into_its_parts(workflow: str, items: list[dict[str, Any]]) -> None:
    known = derive(None, workflow, items)
    parts = parse(known)
    assert str(parts) == known
    assert parts.workflow == workflow
    assert parts.itemids.split("/") == sorted(item["id"] for item in items)
    assert parts.collections.split("/") == (sorted({i["collection"] for i in items if i["collection"]}) or ["none"])


@given(WORKFLOW, ITEMS, st.randoms(use_true_random=False))
def test_order_of_items_makes_no_difference(
    workflow: str, items: list[dict[str, Any]], shuffler: random.Random
) -> None:
    mixed = list(items)
    shuffler.shuffle(mixed)
    assert derive(None, workflow, mixed) == derive(None, workflow, items)


@given(PART, WORKFLOW, ITEMS)
def test_collections_that_are_given_win(collections: str, workflow: str, items: list[dict[str, Any]]) -> None:
    assert parse(derive(collections, workflow, items)).collections == collections


@given(PART, WORKFLOW)
def test_state_key_splits_on_its_last_underscore(collections: str, workflow: str) -> None:
    key = PayloadId(collections, workflow, "x").collections_workflow
    assert tuple(key.rsplit("_", 1)) == (collections, workflow)


@given(st.text(max_size=60))
def test_any_text_parses_to_itself_or_is_refused(text: str) -> None:
    for candidate in (text, f"a/workflow-w/{text}", f"{text}/workflow-w/a"):
        try:
            parts = parse(candidate)
        except InvalidPayload:
            continue
        assert str(parts) == candidate
        assert not {"", ".", ".."} & set(candidate.split("/"))


@given(PART, WORKFLOW, PART, st.characters(categories=["Cc", "Zl", "Zp"]))
def test_control_characters_are_refused(collections: str, workflow: str, name: str, control: str) -> None:
    assume(parse(f"{collections}/workflow-{workflow}/{name}"))
    with pytest.raises(InvalidPayload, match="control character"):
        parse(f"{collections}/workflow-{workflow}/{name}{control}")


def test_examples() -> None:
    items = [{"id": "b", "collection": "y"}, {"id": "a", "collection": "x"}, {"id": "c", "collection": "y"}]
    assert derive(None, "w", items) == "x/y/workflow-w/a/b/c"
    assert derive(None, "w", [{"id": "a"}]) == "none/workflow-w/a"
    assert derive("mine", "w", items) == "mine/workflow-w/a/b/c"
    assert parse("a/b/workflow-w-2/i/j") == PayloadId("a/b", "w-2", "i/j")


def test_message_about_a_long_id_is_short() -> None:
    with pytest.raises(InvalidPayload) as refused:
        parse("x" * 300_000)
    assert len(str(refused.value)) < 500
    assert "300000 characters" in str(refused.value)
