"""Where deliveries go: a webhook, a file, the static catalog."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from cirrus.ports.outbox import Delivery


@dataclass(frozen=True, slots=True)
class Failed:
    """Why a delivery could not be made; `final` if trying again can never help.

    One that was not `tried` is put off and not counted: the target answers nobody, or there was no time left.
    """

    error: str
    final: bool = False
    tried: bool = True


class Target(Protocol):
    """Takes deliveries, at least once each: sending one again must do no harm."""

    def send(self, deliveries: Sequence[Delivery]) -> dict[int, Failed]:
        """Send deliveries in order; gives what failed, by its id. StoreError if nothing could be sent at all.

        It returns in well under the two minutes for which a target is held.
        """
