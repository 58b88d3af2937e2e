"""The contract of the secrets port: inherit `SecretSourceContract` and give it a `secrets` fixture.

A source that cannot be written to is filled by its fixture, which then yields one with `NAME` in it.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from cirrus.errors import NotFound, StoreError
from cirrus.ports.secrets import SecretSource

KEYS = {"aws_access_key_id": "contract-access-key", "aws_secret_access_key": "contract/SECRET+key=0001"}
OTHERS = {"aws_access_key_id": "another-access-key", "aws_secret_access_key": "another/SECRET+key=0002"}


class SecretSourceContract:
    """What every source of secrets does."""

    name = "contract"
    writable = True

    @pytest.fixture
    def spoil(self) -> Callable[[], None] | None:
        """Makes the text of the secret something that is no JSON object; None where it cannot be."""
        return None

    def test_gives_what_was_written(self, secrets: SecretSource) -> None:
        if self.writable:
            secrets.write(self.name, KEYS)
        assert secrets.read(self.name) == KEYS

    def test_replaces_what_stood_there(self, secrets: SecretSource) -> None:
        if not self.writable:
            with pytest.raises(StoreError) as refused:
                secrets.write(self.name, OTHERS)
            assert OTHERS["aws_secret_access_key"] not in str(refused.value)
            return
        secrets.write(self.name, KEYS)
        secrets.write(self.name, OTHERS)
        assert secrets.read(self.name) == OTHERS

    def test_has_another_stamp_once_it_has_changed(self, secrets: SecretSource) -> None:
        if self.writable:
            secrets.write(self.name, KEYS)
        before = secrets.stamp(self.name)
        assert secrets.stamp(self.name) == before
        if self.writable and before is not None:
            secrets.write(self.name, OTHERS)
            assert secrets.stamp(self.name) != before

    def test_says_that_there_is_none_and_what_to_do(self, secrets: SecretSource) -> None:
        with pytest.raises(NotFound, match=r"no secret '\w+:.*absent.*': ") as missing:
            secrets.read("absent")
        assert missing.value.kind == "secret"

    def test_tells_what_is_no_use_without_showing_it(
        self, secrets: SecretSource, spoil: Callable[[], None] | None
    ) -> None:
        if spoil is None:
            return  # it has no text that could be wrong
        spoil()
        with pytest.raises(StoreError, match="is no JSON object") as refused:
            secrets.read(self.name)
        assert "SPOILED" not in str(refused.value)
