"""Deployments in the parameter store: a pointer by name, and below its prefix one parameter for each variable."""

from __future__ import annotations

from typing import Any

from cirrus.adapters.aws.clients import Clients
from cirrus.adapters.aws.faults import code, reported
from cirrus.core.jsontext import decode
from cirrus.errors import ConfigError, InvalidPayload, NotFound, StoreError

POINTERS = "/cirrus/deployments/"


class ParameterStore:
    """Pointers of deployments and their variables."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    def deployments(self) -> list[str]:
        """The names of the deployments that have a pointer, sorted."""
        return sorted(name.removeprefix(POINTERS) for name in self._below(POINTERS))

    def variables(self, deployment: str) -> dict[str, str]:
        """The variables of a deployment. NotFound without a pointer, ConfigError if it is none."""
        prefix = self._prefix(f"{POINTERS}{deployment}", deployment)
        found = self._below(prefix)
        return {name.removeprefix(prefix).strip("/"): value for name, value in found.items()}

    def _prefix(self, name: str, deployment: str) -> str:
        try:
            with reported(f"read the parameter {name}"):
                answer = self._clients("ssm").get_parameter(Name=name, WithDecryption=True)
        except StoreError as error:
            if code(error.__cause__) == "ParameterNotFound":
                raise NotFound("deployment", deployment, f"there is no parameter {name}") from None
            raise
        text = answer["Parameter"]["Value"]
        try:
            pointer = decode(text)
        except InvalidPayload:
            pointer = None
        if not isinstance(pointer, dict) or pointer.get("type") != "parameter_store" or not pointer.get("value"):
            expected = '{"type": "parameter_store", "value": "<prefix>"}'
            raise ConfigError(name, [f"{expected} is expected, not {text[:100]!r}"])
        return f"{str(pointer['value']).rstrip('/')}/"

    def _below(self, prefix: str) -> dict[str, str]:
        asked: dict[str, Any] = {"Path": prefix, "Recursive": False, "WithDecryption": True}
        found: dict[str, str] = {}
        while True:
            with reported(f"read the parameters below {prefix}"):
                answer = self._clients("ssm").get_parameters_by_path(**asked)
            found |= {one["Name"]: one["Value"] for one in answer["Parameters"]}
            if not answer.get("NextToken"):
                return found
            asked["NextToken"] = answer["NextToken"]
