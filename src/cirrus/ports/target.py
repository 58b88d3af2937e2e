"""Where deliveries go: a webhook, a file, the static catalog."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

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


class Catalog(Target, Protocol):
    """A target that can be asked whether what it was sent is there."""

    def flaw(self, item: Mapping[str, Any]) -> str | None:
        """Why an output Item cannot be found in the catalog as it was published last; None if it can."""
