"""What need not be asked of executions that run: what this connection itself has written or read of them.

It is true for as long as no other connection commits and nothing is undone. SQLite tells of the first inside a
transaction (`PRAGMA data_version`), so that whoever has lost an execution still hears of it before he writes about it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

_MOST = 4096


@dataclass(slots=True)
class Standing:
    """Executions that have not ended, by id.

    `held` are the owner and the number of each; `current` the key and the number of the record whose current execution
    it is, and its own number.
    """

    held: dict[str, tuple[str, int]] = field(default_factory=dict)
    current: dict[str, tuple[str, int, int]] = field(default_factory=dict)

    def began(self, execution_id: str, owner: str, key: str, record: int, number: int) -> None:
        """An owner has claimed it."""
        if len(self.held) >= _MOST:
            self.clear()
        self.held[execution_id] = owner, number
        self.current[execution_id] = key, record, number

    def ended(self, execution_id: str) -> None:
        """It has ended."""
        self.held.pop(execution_id, None)
        self.current.pop(execution_id, None)

    def clear(self) -> None:
        """Ask for everything again."""
        self.held.clear()
        self.current.clear()
