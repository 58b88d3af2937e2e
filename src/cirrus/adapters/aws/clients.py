"""The one place where clients of AWS are made: region, role, retries, timeouts, user agent.

Endpoints of stand-ins come from AWS_ENDPOINT_URL and AWS_ENDPOINT_URL_<SERVICE>, which the SDK reads itself. The SDK's
lower layer is used, whose import takes half the time of boto3's.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from cirrus.errors import ConfigError, MissingExtra, StoreError

ATTEMPTS = 6
CONNECT_SECONDS = 5
READ_SECONDS = 30  # longer than the 20 seconds for which a receive from a queue may wait
Prepare = Callable[[Any], None]


class Clients:
    """Clients by service, each made once; safe to use from several threads.

    `role` is the ARN of a role to assume, renewed before it expires. `prepare` is given the session before the first
    client is made, so that what hooks into requests (counting, faults) sees all of them.
    """

    def __init__(
        self,
        region: str | None = None,
        *,
        role: str | None = None,
        profile: str | None = None,
        prepare: Prepare | None = None,
        attempts: int = ATTEMPTS,
        read_seconds: int = READ_SECONDS,
    ) -> None:
        self._region = region
        self._role = role
        self._profile = profile
        self._prepare = prepare
        self._attempts = attempts
        self._read_seconds = read_seconds
        self._session: Any = None
        self._made: dict[str, Any] = {}
        self._lock = threading.RLock()

    def __call__(self, service: str) -> Any:
        """The client of a service. ConfigError without a region, StoreError where the role cannot be assumed."""
        with self._lock:
            if service not in self._made:
                self._made[service] = self._client(service)
            return self._made[service]

    @property
    def region(self) -> str:
        """The region that the clients speak to; ConfigError if none is known."""
        found = self._region or self._opened().get_config_variable("region")
        if not found:
            raise ConfigError("AWS", ["no region is known: set AWS_REGION, or `region` of the deployment"])
        return str(found)

    def _client(self, service: str) -> Any:
        session = self._opened()
        return session.create_client(service, region_name=self.region, config=self._config())

    def _opened(self) -> Any:
        with self._lock:
            if self._session is None:
                self._session = self._open()
            return self._session

    def _open(self) -> Any:
        session = _session(self._profile)
        if self._role:
            session._credentials = _assumed(session, self._role)
        if self._prepare is not None:
            self._prepare(session)
        return session

    def _config(self) -> Any:
        from botocore.config import Config

        from cirrus import __version__

        return Config(
            retries={"mode": "adaptive", "total_max_attempts": self._attempts},
            connect_timeout=CONNECT_SECONDS,
            read_timeout=self._read_seconds,
            max_pool_connections=32,
            user_agent_extra=f"cirrus/{__version__}",
        )


def _session(profile: str | None) -> Any:
    try:
        from botocore.session import Session
    except ImportError:
        raise MissingExtra("a deployment on AWS", "aws") from None
    return Session(profile=profile)


def _assumed(session: Any, role: str) -> Any:
    """Credentials of a role, got when they are first needed and again before they expire."""
    from botocore.credentials import AssumeRoleCredentialFetcher, DeferredRefreshableCredentials

    source = session.get_credentials()
    if source is None:
        raise StoreError(f"no credentials of AWS were found with which to assume {role}")
    fetcher = AssumeRoleCredentialFetcher(
        client_creator=session.create_client,
        source_credentials=source,
        role_arn=role,
        extra_args={"RoleSessionName": "cirrus"},
    )
    return DeferredRefreshableCredentials(method="assume-role", refresh_using=fetcher.fetch_credentials)
