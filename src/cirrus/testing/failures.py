"""What every state database that groups failures does: inherit `FailuresContract` and give it a fixture `connect`."""

from __future__ import annotations

from cirrus.core.failure_kind import FailureKind
from cirrus.core.state import State
from cirrus.ports.query import Query
from cirrus.ports.state_db import Failures
from cirrus.testing.builders import AT, begin, claim, ending, finish, payload_id
from cirrus.testing.ports import Ports

BANDS = FailureKind("w", "to-cog", "KeyError: '<id>'")
DISK = FailureKind("w", "publish", "OSError: no space")


class FailuresContract:
    """Failures by their kind."""

    def test_no_failures_at_first(self, ports: Ports) -> None:
        assert ports.state_db.failures(Query()) == []

    def test_failures_are_grouped_by_their_kind(self, ports: Ports) -> None:
        for n in range(3):
            finish(ports.state_db, payload_id(n), State.FAILED, AT + n, kind=BANDS)
        finish(ports.state_db, payload_id("x"), State.INVALID, AT + 9, kind=DISK)
        finish(ports.state_db, payload_id("good"), at=AT + 10)
        assert ports.state_db.failures(Query()) == [
            Failures(BANDS, 3, AT, AT + 2, payload_id(2)),
            Failures(DISK, 1, AT + 9, AT + 9, payload_id("x")),
        ]

    def test_a_query_limits_them(self, ports: Ports) -> None:
        for n in range(3):
            finish(ports.state_db, payload_id(n), State.FAILED, AT + n, kind=BANDS, last_error=f"KeyError: 'B{n}'")
        finish(ports.state_db, payload_id(0, workflow="v"), State.FAILED, AT, kind=DISK)
        assert ports.state_db.failures(Query(since=AT + 1, workflow="w")) == [
            Failures(BANDS, 2, AT + 1, AT + 2, payload_id(2))
        ]
        assert ports.state_db.failures(Query(error_text="B1", states=(State.FAILED,)))[0].sample == payload_id(1)
        assert [one.kind for one in ports.state_db.failures(Query(fingerprint=DISK.fingerprint))] == [DISK]
        assert ports.state_db.failures(Query(states=(State.INVALID,))) == []

    def test_records_are_found_by_fingerprint(self, ports: Ports) -> None:
        finish(ports.state_db, payload_id(1), State.FAILED, kind=BANDS)
        finish(ports.state_db, payload_id(2), State.FAILED, kind=DISK)
        (found,) = ports.state_db.page(Query(fingerprint=BANDS.fingerprint), 10).records
        assert (found.payload_id, found.fingerprint) == (payload_id(1), BANDS.fingerprint)
        assert ports.state_db.page(Query(fingerprint="00000000"), 10).records == ()

    def test_what_runs_again_has_not_failed_any_more(self, ports: Ports) -> None:
        record = finish(ports.state_db, payload_id(1), State.FAILED, kind=BANDS)
        assert ports.state_db.claim([claim(payload_id(1), record, AT + 1)]) == [True]
        assert ports.state_db.failures(Query()) == []
        again = ports.state_db.get([payload_id(1)])[payload_id(1)]
        assert again.fingerprint is None
        assert ports.state_db.conclude([ending(again, State.COMPLETED, AT + 2)]) == [True]
        assert ports.state_db.get([payload_id(1)])[payload_id(1)].fingerprint is None

    def test_a_refused_end_counts_for_nothing(self, ports: Ports) -> None:
        record = begin(ports.state_db, payload_id(1))
        late = ending(record, State.FAILED, kind=BANDS)
        assert ports.state_db.conclude([ending(record)]) == [True]
        assert ports.state_db.conclude([late]) == [False]
        assert ports.state_db.failures(Query()) == []
