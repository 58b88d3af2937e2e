"""Secrets in AWS Secrets Manager, each a JSON object, read with the credentials of the environment."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib import import_module
from typing import Any

from cirrus.adapters.secrets.document import decode
from cirrus.errors import NotFound, StoreError


class SecretsManagerSecrets:
    """Secrets by their name or ARN there."""

    def read(self, name: str) -> dict[str, Any]:
        """The keys of the secret's current version."""
        answer = self._call(name, "get_secret_value", SecretId=name)
        text = answer.get("SecretString")
        if text is None:
            raise StoreError(f"secretsmanager:{name} is binary; a JSON object in its SecretString is expected")
        return decode(text, f"secretsmanager:{name}")

    def stamp(self, name: str) -> None:
        """Nothing cheaper than reading tells whether a secret has changed."""

    def write(self, name: str, keys: Mapping[str, Any]) -> None:
        """A new version, or a new secret."""
        text = json.dumps(dict(keys))
        try:
            self._call(name, "put_secret_value", SecretId=name, SecretString=text)
        except NotFound:
            self._call(name, "create_secret", Name=name, SecretString=text)

    def _call(self, name: str, method: str, **arguments: str) -> Any:
        boto3, exceptions = import_module("boto3"), import_module("botocore.exceptions")
        region = name.split(":")[3] if name.startswith("arn:") else None
        try:
            return getattr(boto3.client("secretsmanager", region_name=region), method)(**arguments)
        except exceptions.ClientError as error:
            code = error.response.get("Error", {}).get("Code", "")
            if code == "ResourceNotFoundException":
                raise NotFound("secret", f"secretsmanager:{name}", "make it with `cirrus secrets set`") from None
            raise StoreError(f"secretsmanager:{name} cannot be used: {code}") from None
        except exceptions.NoRegionError:
            raise StoreError(f"secretsmanager:{name} cannot be used: no region; set AWS_REGION") from None
        except exceptions.BotoCoreError as error:
            raise StoreError(f"secretsmanager:{name} cannot be used: {type(error).__name__}") from None
