"""Buckets with an access of their own: what cirrus.toml says of one, and what opens it.

A declared bucket names its secret by reference: `source:name`. An access holds the values; it never shows them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

SOURCES = ("env", "file", "keyring", "secretsmanager")
S3_KEYS = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")
DEFAULT_SECRET = "cirrus-creds-"  # noqa: S105 - the beginning of a name
PUBLIC_KEYS = frozenset(
    [
        "aws_access_key_id",
        "account_name",
        "azure_storage_account_name",
        "client_id",
        "azure_client_id",
        "azure_storage_client_id",
        "tenant_id",
        "azure_tenant_id",
        "azure_storage_tenant_id",
        "service_account",
    ]
)


@dataclass(frozen=True, slots=True)
class Reference:
    """Where a secret is kept: one of SOURCES, and its name there."""

    source: str
    name: str

    def __str__(self) -> str:
        return f"{self.source}:{self.name}"


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket as cirrus.toml declares it, by name (S3) or by the URL of its store.

    Without `secret`, and not `anonymous`, it is opened with what the environment has. `path_style` is None where the
    endpoint decides: with one, the bucket's name stands in the path.
    """

    name: str
    endpoint: str | None = None
    region: str | None = None
    requester_pays: bool = False
    anonymous: bool = False
    path_style: bool | None = None
    secret: Reference | None = None


@dataclass(frozen=True, slots=True, repr=False)
class Access:
    """What opens a bucket; `keys` are S3_KEYS, or for another store the names that obstore gives them."""

    bucket: str
    endpoint: str | None = None
    region: str | None = None
    requester_pays: bool = False
    anonymous: bool = False
    path_style: bool = False
    keys: Mapping[str, str] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"Access({self.bucket!r})"

    @property
    def root(self) -> str:
        """The URL of the bucket, without a slash at its end."""
        return root_of(self.bucket)

    @property
    def is_s3(self) -> bool:
        """Whether it is in S3, or in something that speaks as S3 does."""
        return self.root.startswith("s3://")

    @property
    def ambient(self) -> bool:
        """Whether it is opened with what the environment has."""
        return not self.keys and not self.anonymous

    def secrets(self) -> frozenset[str]:
        """The values that nobody may see."""
        return frozenset(value for name, value in self.keys.items() if name not in PUBLIC_KEYS)

    def masked(self) -> frozenset[str]:
        """The values that no log shows: the secrets, and whose they are."""
        return frozenset(self.keys.values())


def root_of(bucket: str) -> str:
    """The URL of a bucket that is named alone (S3), or already by its URL."""
    return bucket.rstrip("/") if "://" in bucket else f"s3://{bucket}"


def bucket_of(url: str) -> str | None:
    """The name of the bucket that a URL is in, as cirrus.toml names it; None for what is in none."""
    scheme, mark, rest = url.partition("://")
    host = rest.partition("/")[0]
    if not mark or not host or scheme.lower() in ("file", "http", "https", "memory", "cirrus"):
        return None
    return host if scheme.lower() in ("s3", "s3a") else f"{scheme.lower()}://{host}"
