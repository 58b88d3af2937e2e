"""Secrets in the environment: the variables that begin with a prefix."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cirrus.errors import NotFound, StoreError

# What stands behind the prefix → the key's name.
SUFFIXES = {
    "ACCESS_KEY_ID": "aws_access_key_id",
    "SECRET_ACCESS_KEY": "aws_secret_access_key",
    "SESSION_TOKEN": "aws_session_token",
    "REGION": "region_name",
    "ENDPOINT_URL": "endpoint_url",
    "ACCOUNT_NAME": "azure_storage_account_name",
    "ACCOUNT_KEY": "azure_storage_account_key",
    "SAS_KEY": "azure_storage_sas_key",
    "SERVICE_ACCOUNT_KEY": "google_service_account_key",
}


def variables(prefix: str) -> list[str]:
    """The variables that hold the keys of a secret."""
    return [f"{prefix}_{suffix}" for suffix in SUFFIXES]


class EnvironmentSecrets:
    """Secrets whose names are prefixes of variables: `SCENES` is SCENES_ACCESS_KEY_ID and so on."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment

    def read(self, name: str) -> dict[str, Any]:
        """The keys whose variables are set."""
        found = {
            key: self._environment[f"{name}_{suffix}"]
            for suffix, key in SUFFIXES.items()
            if self._environment.get(f"{name}_{suffix}")
        }
        if not found:
            raise NotFound("secret", f"env:{name}", f"set {name}_ACCESS_KEY_ID and {name}_SECRET_ACCESS_KEY")
        return found

    def stamp(self, name: str) -> object:
        """Always the same: the environment of a process is read once."""
        return name

    def write(self, name: str, keys: Mapping[str, Any]) -> None:
        """Never: nothing can be set here that outlives the process."""
        raise StoreError(
            f"env:{name} cannot be set from here: set {name}_ACCESS_KEY_ID and {name}_SECRET_ACCESS_KEY where Cirrus"
            " is started"
        )
