"""How values stand in columns: states as numbers in alphabetical order, execution ids as bytes."""

from __future__ import annotations

from uuid import UUID

from cirrus.core.state import State

NUMBER = {state: n for n, state in enumerate(sorted(State), 1)}
STATE = {n: state for state, n in NUMBER.items()}


def pack(execution_id: str) -> bytes:
    """An execution id as it is stored: the 16 bytes of a UUID, else its text."""
    digits = execution_id.replace("-", "")
    try:
        return bytes.fromhex(digits) if len(digits) == 32 and digits.isalnum() else UUID(execution_id).bytes
    except ValueError:
        return execution_id.encode()


def unpack(name: bytes) -> str:
    """The execution id of a stored name."""
    if len(name) != 16:
        return name.decode()
    digits = name.hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
