"""Queries of the port StateDb: what its pages hold, in which order, and what their tokens survive."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cirrus.core.record import Record
from cirrus.core.state import RUNNING, State
from cirrus.ports.state_db import SORTS, Claim, Query
from cirrus.testing.builders import AT, begin, claim, ending, finish, payload_id
from cirrus.testing.ports import Connect, Ports, PortsContract

SECOND = 1_000_000


class PagesContract(PortsContract):
    """The promises of `page`; part of StateDbContract."""

    @pytest.fixture
    def many(self, ports: Ports) -> list[Record]:
        """Records in every state, of two groups, many updated at the same instant."""
        return many_records(ports)

    QUERIES = (
        Query(),
        Query(collections_workflow="scenes_w"),
        Query(states=(State.FAILED,)),
        Query(collections_workflow="scenes_v", states=(State.FAILED,)),
        Query(since=AT + 3 * SECOND),
        Query(until=AT + 6 * SECOND),
        Query(since=AT + 2 * SECOND, until=AT + 8 * SECOND, collections_workflow="scenes_w"),
        Query(error_prefix="50%"),
        Query(error_prefix="50_ o"),
        Query(error_prefix="Ünï", states=(State.FAILED,)),
        Query(collections_workflow="no_such"),
        Query(states=(State.FAILED, State.COMPLETED, State.FAILED)),
        Query(workflow="v"),
        Query(workflow="w", states=(State.INVALID,)),
        Query(collection="scenes"),
        Query(collection="scene"),
        Query(error_text="_ of"),
        Query(error_text="ï", workflow="w"),
        Query(error_text="no such"),
        Query(item="01*"),
        Query(item="*7"),
        Query(item="0[12]?"),
        Query(item="0[!12]?", workflow="w"),
        Query(item="[0"),
        Query(item="001"),
        Query(item="001/"),
        Query(attempts_min=2),
        Query(attempts_min=1, attempts_max=1),
        Query(attempts_max=2, states=(State.ABORTED, State.COMPLETED)),
        Query(attempts_min=4),
        Query(output_collection="out"),
        Query(output_collection='o"u'),
        Query(output_collection="u"),
        Query(item="0*", error_prefix="Other", attempts_max=3, since=AT),
    )

    @pytest.mark.parametrize("query", QUERIES)
    @pytest.mark.parametrize("sort", SORTS)
    @pytest.mark.parametrize("ascending", [True, False])
    def test_pages_hold_what_the_query_asks_for(
        self, ports: Ports, many: list[Record], query: Query, sort: str, ascending: bool
    ) -> None:
        assert len(many) == 48
        query = replace(query, sort=sort, ascending=ascending)
        found = _pages(ports, query, 5)
        assert {one.payload_id for one in found} == {one.payload_id for one in many if _wanted(query, one)}
        assert len({one.payload_id for one in found}) == len(found)
        keys = [_sorted_by(query, one) for one in found]
        assert keys == sorted(keys, reverse=not ascending)
        assert found == _pages(ports, query, 1000)

    def test_since_is_inclusive_and_until_is_not(self, ports: Ports) -> None:
        for n in range(3):
            finish(ports.state_db, payload_id(n), at=AT + n)
        found = ports.state_db.page(Query(since=AT + 1, until=AT + 2), 9).records
        assert [one.payload_id for one in found] == [payload_id(1)]

    @pytest.mark.parametrize("sort", SORTS)
    @pytest.mark.parametrize("ascending", [True, False])
    def test_token_survives_writes(self, connect: Connect, many: list[Record], sort: str, ascending: bool) -> None:
        ports, other = connect(), connect()
        query = Query(sort=sort, ascending=ascending)
        page = ports.state_db.page(query, 7)
        seen = [one.payload_id for one in page.records]
        touched = {page.records[-1].payload_id}
        step = 0
        while page.token:
            step += 1
            _touch(other, page.records[-1], AT + 1000 * SECOND + step)
            touched.add(page.records[-1].payload_id)
            other.state_db.claim([claim(payload_id(f"new-{step}", collections="a"), at=AT - step)])
            page = ports.state_db.page(query, 7, page.token)
            seen += [one.payload_id for one in page.records]
        steady = [one.payload_id for one in many if one.payload_id not in touched]
        assert [seen.count(known) for known in steady] == [1] * len(steady)
        assert {one.payload_id for one in many} <= set(seen)

    def test_last_page_has_no_token(self, ports: Ports) -> None:
        for n in range(4):
            begin(ports.state_db, payload_id(n))
        first = ports.state_db.page(Query(), 2)
        second = ports.state_db.page(Query(), 2, first.token)
        assert first.token is not None
        assert (len(second.records), second.token) == (2, None)
        assert ports.state_db.page(Query(), 0).records == ()

    @pytest.mark.parametrize(
        "token", ["!", "abc", "ü", "MQ", "W10", "bnVsbA", "WyJ1cGRhdGVkIiwgZmFsc2UsIFtbXSwgbnVsbF1d", "x" * 10_000]
    )
    def test_damaged_token_is_a_value_error(self, ports: Ports, token: str) -> None:
        with pytest.raises(ValueError, match="token"):
            ports.state_db.page(Query(), 5, token)

    def test_token_of_another_sort_or_order_is_a_value_error(self, ports: Ports) -> None:
        for n in range(3):
            begin(ports.state_db, payload_id(n))
        queries = [Query(sort=sort, ascending=ascending) for sort in SORTS for ascending in (True, False)]
        for given in queries:
            token = ports.state_db.page(given, 1).token
            for other in queries:
                if other != given:
                    with pytest.raises(ValueError, match="another query"):
                        ports.state_db.page(other, 1, token)

    def test_unknown_sort_is_a_value_error(self, ports: Ports) -> None:
        with pytest.raises(ValueError, match="sort"):
            ports.state_db.page(Query(sort="size"), 5)


def many_records(ports: Ports) -> list[Record]:
    """Records in every state, of two groups, many updated at the same instant."""
    states = sorted(State)
    with ports.unit.group():
        for n in range(48):
            known = payload_id(f"{n * 7 % 48:03d}", workflow="wv"[n % 2])
            for _ in range(0 if n % 11 else n // 11):
                finish(ports.state_db, known, State.ABORTED, AT - SECOND)
            state, at = states[n % len(states)], AT + (n // 5) * SECOND
            if state in RUNNING:
                begin(ports.state_db, known, at, owner="o" if state is State.PROCESSING else None)
            else:
                error = ("50% off: a", "50_ off: b", "Ünï: c", "Other: d")[n % 4]
                made = ("out", 'o"u')[: n % 3] if state is State.COMPLETED else ()
                failed = error if state is State.FAILED else None
                finish(ports.state_db, known, state, at, last_error=failed, output_collections=made)
    return list(ports.state_db.page(Query(), 1000).records)


def _pages(ports: Ports, query: Query, limit: int) -> list[Record]:
    page = ports.state_db.page(query, limit)
    found = list(page.records)
    while page.token:
        page = ports.state_db.page(query, limit, page.token)
        assert page.records or query.searches
        found += page.records
    return found


def _wanted(query: Query, record: Record) -> bool:
    group = "scenes_w" if "/workflow-w/" in record.payload_id else "scenes_v"
    name = record.payload_id[-3:]
    items = {"01*": name[:2] == "01", "*7": name[2] == "7", "0[12]?": name[:2] in {"01", "02"}, "001": name == "001"}
    items |= {"0[!12]?": name[0] == "0" and name[1] not in "12", "[0": False, "001/": False, "0*": name[0] == "0"}
    return (
        query.collections_workflow in {None, group}
        and query.workflow in {None, group[-1]}
        and query.collection in {None, "scenes"}
        and (not query.states or record.state in query.states)
        and (query.since is None or query.since <= record.updated)
        and (query.until is None or record.updated < query.until)
        and (query.error_prefix is None or str(record.last_error or "").startswith(query.error_prefix))
        and (query.error_text is None or query.error_text in str(record.last_error or ""))
        and (query.item is None or items[query.item])
        and (query.attempts_min or 0) <= len(record.executions) <= (query.attempts_max or 99)
        and (query.output_collection is None or query.output_collection in record.output_collections)
    )


def _sorted_by(query: Query, record: Record) -> tuple[object, ...]:
    return {
        "updated": (record.updated,),
        "state": (str(record.state), record.updated),
        "id": (record.payload_id,),
    }[query.sort]


def _touch(ports: Ports, record: Record, at: int) -> None:
    """Change a record in whatever way its state allows."""
    current = ports.state_db.get([record.payload_id])[record.payload_id]
    if current.state in RUNNING:
        assert ports.state_db.conclude([ending(current, State.FAILED, at)]) == [True]
    else:
        wanted: Claim = claim(current.payload_id, current, at)
        assert ports.state_db.claim([wanted]) == [True]
