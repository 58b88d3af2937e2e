"""What every backend of the port StateDb does with events; part of StateDbContract."""

from __future__ import annotations

from cirrus.core.event import UNKNOWN, EventType
from cirrus.testing.builders import AT, begin, event, payload_id
from cirrus.testing.ports import Ports, PortsContract

P = payload_id("scene")


class EventsContract(PortsContract):
    """The promises of `note` and `events`."""

    def test_events_have_numbers_that_grow(self, ports: Ports) -> None:
        self.need_events()
        begin(ports.state_db, P)
        happened = [event(P, kind, AT + n) for n, kind in enumerate(EventType)]
        for one in happened:
            ports.state_db.note([one])
        found = ports.state_db.events()
        assert [one for _, one in found] == happened
        numbers = [number for number, _ in found]
        assert numbers == sorted(set(numbers))
        assert ports.state_db.events(after=numbers[3], limit=2) == found[4:6]
        assert ports.state_db.events(after=numbers[-1]) == []

    def test_events_hold_all_their_fields(self, ports: Ports) -> None:
        full = event(
            P, input_payload_url="file:///i", output_payload_url="file:///o", execution="arn:e", error="Ü: 'x'"
        )
        ports.state_db.note([full, event(UNKNOWN, EventType.RECORD_EXTRACT_FAILED, error="no JSON")])
        assert self.told(ports) == [
            full,
            event(UNKNOWN, EventType.RECORD_EXTRACT_FAILED, error="no JSON"),
        ]

    def test_events_of_one_payload(self, ports: Ports) -> None:
        self.need_events()
        other = payload_id("other")
        ports.state_db.note([event(P, EventType.NOT_A_PROCESS_PAYLOAD), event(other)])
        begin(ports.state_db, P, events=(event(P),))
        kinds = [one.type for _, one in ports.state_db.events(payload_id=P)]
        assert kinds == [EventType.NOT_A_PROCESS_PAYLOAD, EventType.CLAIMED_PROCESSING]
        assert ports.state_db.events(payload_id=payload_id("third")) == []
