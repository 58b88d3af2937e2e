"""What every state database that knows its Items does: inherit `ItemsContract` and give it a fixture `connect`."""

from __future__ import annotations

from typing import Any

from cirrus.core.state import State
from cirrus.ports.state_db import ItemRef, ItemUse
from cirrus.testing.builders import AT, begin, ending, finish, payload_id
from cirrus.testing.ports import Ports

A, B = payload_id("a"), payload_id("b")
RAW, COG = ItemRef("raw", "in"), ItemRef("cog", "out")


class ItemsContract:
    """Who was given an Item, and who made it."""

    def test_nobody_knows_an_item_at_first(self, ports: Ports) -> None:
        assert ports.state_db.uses("raw", made=False) == []
        assert ports.state_db.uses("raw", made=True) == []

    def test_given_and_made(self, ports: Ports) -> None:
        record = begin(ports.state_db, A, items=(RAW,))
        first = record.execution_id or ""
        assert ports.state_db.uses("raw", made=False) == [ItemUse(RAW, False, A, first, True)]
        assert ports.state_db.conclude([ending(record, items=(COG,))]) == [True]
        assert ports.state_db.uses("cog", made=True) == [ItemUse(COG, True, A, first, True)]
        assert ports.state_db.uses("raw", made=True) == ports.state_db.uses("cog", made=False) == []

    def test_an_earlier_execution_is_not_the_current_one(self, ports: Ports) -> None:
        first = finish(ports.state_db, A, State.COMPLETED, items=(COG,)).execution_id
        second = finish(ports.state_db, A, State.COMPLETED, at=AT + 1, items=(COG,)).execution_id
        found = [(use.execution_id, use.current) for use in ports.state_db.uses("cog", made=True)]
        assert found == [(second, True), (first, False)]

    def test_the_same_id_in_two_collections_and_payloads(self, ports: Ports) -> None:
        other = ItemRef("cog", "")
        finish(ports.state_db, A, items=(COG, other))
        finish(ports.state_db, B, items=(COG,))
        found = [(use.payload_id, use.item) for use in ports.state_db.uses("cog", made=True)]
        assert found == [(B, COG), (A, other), (A, COG)]
        assert len(ports.state_db.uses("cog", made=True, limit=2)) == 2

    def test_forgotten_record_has_no_items(self, ports: Ports) -> None:
        given: dict[str, Any] = {"input": b'{"features":[{"id":"raw","collection":"in"}]}', "items": (RAW,)}
        made: dict[str, Any] = {"output": b'{"features":[{"id":"cog","collection":"out"}]}', "items": (COG,)}
        for known in (A, B):
            assert ports.state_db.conclude([ending(begin(ports.state_db, known, **given), **made)]) == [True]
        assert ports.state_db.forget([A], AT) == [True]
        assert [use.payload_id for use in ports.state_db.uses("raw", made=False)] == [B]
        assert [use.payload_id for use in ports.state_db.uses("cog", made=True)] == [B]
        damaged = begin(ports.state_db, A, input=b"{", items=(RAW,))
        ports.state_db.conclude([ending(damaged, State.FAILED)])
        assert ports.state_db.forget([A], AT) == [True]
        assert [use.payload_id for use in ports.state_db.uses("raw", made=False)] == [B]

    def test_a_refused_end_makes_nothing(self, ports: Ports) -> None:
        record = begin(ports.state_db, A)
        late = ending(record, items=(COG,))
        assert ports.state_db.conclude([ending(record)]) == [True]
        assert ports.state_db.conclude([late]) == [False]
        assert ports.state_db.uses("cog", made=True) == []
