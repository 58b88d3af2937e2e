from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import boto3
import keyring
import pytest
from keyring.backend import KeyringBackend
from moto import mock_aws

from cirrus.adapters.secrets.environment import EnvironmentSecrets
from cirrus.adapters.secrets.file import FileSecrets
from cirrus.adapters.secrets.keyring import SERVICE, KeyringSecrets
from cirrus.adapters.secrets.secrets_manager import SecretsManagerSecrets
from cirrus.errors import NotFound, StoreError
from cirrus.ports.secrets import SecretSource
from cirrus.testing.secrets import KEYS, SecretSourceContract


class TestEnvironment(SecretSourceContract):
    writable = False

    @pytest.fixture
    def secrets(self) -> SecretSource:
        return EnvironmentSecrets(
            {
                "contract_ACCESS_KEY_ID": KEYS["aws_access_key_id"],
                "contract_SECRET_ACCESS_KEY": KEYS["aws_secret_access_key"],
                "contract_UNKNOWN": "ignored",
            }
        )


class TestFile(SecretSourceContract):
    name = "inner/contract.json"

    @pytest.fixture
    def secrets(self, tmp_path: Path) -> SecretSource:
        return FileSecrets(tmp_path)

    @pytest.fixture
    def spoil(self, secrets: SecretSource, tmp_path: Path) -> Callable[[], None]:
        secrets.write(self.name, KEYS)
        return lambda: (tmp_path / self.name).write_text("SPOILED") and None

    def test_nobody_else_can_read_the_file(self, secrets: SecretSource, tmp_path: Path) -> None:
        secrets.write(self.name, KEYS)
        assert (tmp_path / self.name).stat().st_mode & 0o777 == 0o600
        assert [path.name for path in (tmp_path / "inner").iterdir()] == ["contract.json"]

    @pytest.mark.parametrize("mode", [0o644, 0o640, 0o602])
    def test_a_file_that_others_can_use_is_refused(self, secrets: SecretSource, tmp_path: Path, mode: int) -> None:
        secrets.write(self.name, KEYS)
        (tmp_path / self.name).chmod(mode)
        with pytest.raises(StoreError, match=rf"mode {mode:04o}, so that others can use it: chmod 600 "):
            secrets.read(self.name)

    def test_a_folder_that_cannot_be_written_is_named(self, tmp_path: Path) -> None:
        (tmp_path / "inner").write_text("a file")
        with pytest.raises(StoreError, match="cannot write"):
            FileSecrets(tmp_path).write(self.name, KEYS)


class Ring(KeyringBackend):
    """A keyring in memory, for a machine that has none."""

    priority = 1  # type: ignore[assignment]

    def __init__(self) -> None:
        super().__init__()
        self.entries: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.entries.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.entries[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        del self.entries[service, username]


class TestKeyring(SecretSourceContract):
    @pytest.fixture
    def ring(self) -> Iterator[Ring]:
        before = keyring.get_keyring()
        ring = Ring()
        keyring.set_keyring(ring)
        yield ring
        keyring.set_keyring(before)

    @pytest.fixture
    def secrets(self, ring: Ring) -> SecretSource:
        return KeyringSecrets()

    @pytest.fixture
    def spoil(self, ring: Ring) -> Callable[[], None]:
        return lambda: ring.set_password(SERVICE, self.name, "SPOILED")

    def test_a_machine_without_keyring_is_told(self) -> None:
        from keyring.backends.fail import Keyring as NoKeyring

        before = keyring.get_keyring()
        keyring.set_keyring(NoKeyring())
        try:
            with pytest.raises(StoreError, match="is a keyring service running for this user"):
                KeyringSecrets().read("contract")
        finally:
            keyring.set_keyring(before)


class TestSecretsManager(SecretSourceContract):
    name = "cirrus-creds-scenes"

    @pytest.fixture
    def secrets(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[SecretSource]:
        monkeypatch.setenv("AWS_REGION", "eu-central-1")
        monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
        with mock_aws():
            yield SecretsManagerSecrets()

    @pytest.fixture
    def spoil(self, secrets: SecretSource) -> Callable[[], None]:
        service = boto3.client("secretsmanager")
        return lambda: service.create_secret(Name=self.name, SecretString="SPOILED") and None

    def test_a_secret_of_the_system_before_is_read_as_it_is(self, secrets: SecretSource) -> None:
        before: Mapping[str, object] = {**KEYS, "region_name": "us-west-2", "requester_pays": True}
        boto3.client("secretsmanager").create_secret(Name=self.name, SecretString=json.dumps(before))
        assert secrets.read(self.name) == before

    def test_an_arn_tells_its_region(self, secrets: SecretSource) -> None:
        elsewhere = boto3.client("secretsmanager", region_name="us-west-2")
        arn = elsewhere.create_secret(Name=self.name, SecretString=json.dumps(KEYS))["ARN"]
        assert secrets.read(arn) == KEYS
        with pytest.raises(NotFound):
            secrets.read(self.name)

    def test_no_region_is_told(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with pytest.raises(StoreError, match="no region; set AWS_REGION"):
            SecretsManagerSecrets().read("contract")
