"""A delivery as a row of the outbox table: what waits stands under its target, what was given up under `parked/`."""

from __future__ import annotations

from dataclasses import dataclass

from cirrus.adapters.aws.attributes import Row, number, text
from cirrus.ports.outbox import Delivery, Entered

PARKED = "parked/"


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A delivery with what its row holds: `stored` is the body as it is written, `written` whether there is a row.

    `bundle` is the number of the bundle in which it was written with others.
    """

    delivery: Delivery
    stored: bytes
    due: int
    written: bool = True
    error: str | None = None
    bundle: int | None = None

    @property
    def size(self) -> int:
        """About how many bytes its row takes."""
        return len(self.stored) + len(self.delivery.payload_id) + 200


def key(target: str, id_: int) -> Row:
    """The key of a delivery's row."""
    return {"target": text(target), "id": number(id_)}


def parked(target: str) -> str:
    """Where deliveries for a target stand that were given up."""
    return PARKED + target


def row(one: Outgoing) -> Row:
    """The row of a delivery."""
    delivery = one.delivery
    made = {
        "target": text(delivery.target),
        "id": number(delivery.id),
        "kind": text(delivery.kind),
        "payload_id": text(delivery.payload_id),
        "body": text(one.stored.decode()),
        "due": number(one.due),
        "attempts": number(delivery.attempts),
    }
    return made if one.error is None else {**made, "error": text(one.error)}


def outgoing(given: Row) -> Outgoing:
    """The delivery of a row."""
    body = given["body"]["S"].encode()
    delivery = Delivery(
        id=int(given["id"]["N"]),
        target=given["target"]["S"],
        kind=given["kind"]["S"],
        payload_id=given["payload_id"]["S"],
        body=body,
        attempts=int(given["attempts"]["N"]),
    )
    return Outgoing(delivery, body, int(given["due"]["N"]), error=given.get("error", {}).get("S"))


def entry(one: Outgoing) -> Entered:
    """A delivery as the ledger shows it."""
    given_up = one.delivery.target.startswith(PARKED)
    return Entered(
        id=one.delivery.id,
        target=one.delivery.target.removeprefix(PARKED),
        kind=one.delivery.kind,
        payload_id=one.delivery.payload_id,
        attempts=one.delivery.attempts,
        due=0 if given_up else one.due,
        error=one.error,
        parked=one.due if given_up else None,
    )
