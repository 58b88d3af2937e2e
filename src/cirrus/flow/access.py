"""Opens declared buckets: their secrets are read from where they are kept, checked, and granted to tasks."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from cirrus.core.bucket import S3_KEYS, Access, Bucket, Reference, bucket_of, root_of
from cirrus.core.grants import ANY, Grants
from cirrus.core.scrub import SHORTEST
from cirrus.errors import CirrusError, ConfigError, NotFound, StoreError
from cirrus.ports.compute import TaskSpec
from cirrus.ports.secrets import SecretSource

PATIENCE = 60.0
SETTINGS = ("region_name", "endpoint_url", "requester_pays")


@dataclass(frozen=True, slots=True)
class BucketStatus:
    """A declared bucket, whether its secret is there (found, missing, unusable: why, …), and the tasks that name it."""

    bucket: Bucket
    status: str
    tasks: tuple[str, ...]


@dataclass(slots=True)
class _Kept:
    """What opens a bucket, the stamp of the secret that it was made of, and when that was last looked at."""

    access: Access
    stamp: object | None
    looked: float


class Vault:
    """The declared buckets, and what opens them: a secret is read when it is first needed, and when it has changed.

    Where only reading tells whether it has, it is read again once it is PATIENCE seconds old on `clock`. One that has
    become unreadable or is no use any more leaves what it opened before as it is.
    """

    def __init__(
        self, buckets: Mapping[str, Bucket], source: Callable[[str], SecretSource], clock: Callable[[], float]
    ) -> None:
        self.buckets = dict(buckets)
        self._source = source
        self._clock = clock
        self._kept: dict[str, _Kept] = {}
        self._changes = 0

    def access(self, name: str) -> Access | None:
        """What opens a bucket; None for one that is not declared.

        ConfigError or NotFound where its secret is no use or not there, StoreError where it cannot be read.
        """
        bucket = self.buckets.get(name)
        if bucket is None:
            return None
        kept = self._kept.get(name)
        if kept is None:
            kept = self._kept[name] = self._open(bucket)
        elif bucket.secret is not None:
            self._renew(kept, bucket, bucket.secret)
        return kept.access

    def changes(self) -> int:
        """How often a secret that was read has been found changed, until now."""
        for name in list(self._kept):
            self.access(name)
        return self._changes

    def _open(self, bucket: Bucket) -> _Kept:
        stamp = self._source(bucket.secret.source).stamp(bucket.secret.name) if bucket.secret else None
        access = opened(bucket, self.read(bucket.secret) if bucket.secret else {})
        return _Kept(access, stamp, self._clock())

    def _renew(self, kept: _Kept, bucket: Bucket, secret: Reference) -> None:
        stamp = self._source(secret.source).stamp(secret.name)
        now = self._clock()
        if stamp == kept.stamp and (stamp is not None or now - kept.looked < PATIENCE):
            return
        kept.looked = now
        with suppress(ConfigError, NotFound, StoreError):
            access = opened(bucket, self.read(secret))
            kept.stamp = stamp
            if access != kept.access:
                kept.access = access
                self._changes += 1

    def declared(self, name: str) -> Bucket:
        """A bucket's declaration; NotFound lists those that there are."""
        if name not in self.buckets:
            raise NotFound("bucket", name, f"declared are: {', '.join(sorted(self.buckets)) or 'none'}")
        return self.buckets[name]

    def status(self, name: str) -> str:
        """Whether a declared bucket's secret is there and of use."""
        try:
            access = self._open(self.declared(name)).access
        except NotFound:
            return "missing"
        except CirrusError as error:
            return f"unusable: {error}"
        if access is not None and access.anonymous:
            return "anonymous"
        return "from the environment" if access is None or access.ambient else "found"

    def read(self, secret: Reference) -> dict[str, Any]:
        """The keys of a secret."""
        return self._source(secret.source).read(secret.name)

    def write(self, name: str, keys: Mapping[str, Any]) -> Reference:
        """Keep the secret of a declared bucket, if it is one that opens it; says where it is now."""
        bucket = self.declared(name)
        if bucket.secret is None:
            reason = "names no secret: say where it is kept, as in secret = 'file:PATH'"
            raise ConfigError("cirrus.toml", [f"buckets.{name}: {reason}"])
        opened(bucket, keys)
        self._source(bucket.secret.source).write(bucket.secret.name, keys)
        return bucket.secret


def statuses(vault: Vault, specs: Collection[TaskSpec]) -> list[BucketStatus]:
    """Every declared bucket, by name; their secrets are read."""
    found = []
    for name, bucket in sorted(vault.buckets.items()):
        tasks = tuple(sorted(spec.name for spec in specs if name in spec.buckets))
        found.append(BucketStatus(bucket, vault.status(name), tasks))
    return found


def grant(
    vault: Vault, specs: Iterable[TaskSpec], internal: Iterable[TaskSpec], data: str, hidden: Iterable[str]
) -> Grants:
    """What each task may use: the bucket of the data store, and those that it names.

    Internal tasks may use all whose secrets are there. The problems of all secrets that a task needs are told at once.
    """
    own = bucket_of(data)
    tasks = {spec.name: tuple(sorted({*spec.buckets, *([own] if own else [])})) for spec in specs}
    needed = {name for names in tasks.values() for name in names}
    accesses: dict[str, Access] = {}
    problems: list[str] = []
    for name in sorted({*needed, *vault.buckets}):
        try:
            accesses[name] = vault.access(name) or Access(name)
        except (ConfigError, NotFound, StoreError) as error:
            if name in needed:
                problems.append(f"buckets.{name}: {error}")
    if problems:
        raise ConfigError("cirrus.toml", problems)
    tasks |= {spec.name: (ANY, *(name for name in vault.buckets if name in accesses)) for spec in internal}
    return Grants(accesses, tasks, frozenset(hidden))


def opened(bucket: Bucket, keys: Mapping[str, Any]) -> Access:
    """The access that a bucket's declaration and its secret give; what the declaration says goes first.

    ConfigError names every key that is wrong, and never its value.
    """
    if problems := list(_problems(bucket, keys)):
        raise ConfigError(f"secret {bucket.secret}", problems)
    s3 = root_of(bucket.name).startswith("s3://")
    endpoint = bucket.endpoint or keys.get("endpoint_url")
    return Access(
        bucket=bucket.name,
        endpoint=endpoint,
        region=bucket.region or keys.get("region_name"),
        requester_pays=bucket.requester_pays or keys.get("requester_pays") in (True, "true", "True"),
        anonymous=bucket.anonymous,
        path_style=bool(endpoint) if bucket.path_style is None else bucket.path_style,
        keys={name: value for name, value in keys.items() if (name in S3_KEYS if s3 else name not in SETTINGS)},
    )


def _problems(bucket: Bucket, keys: Mapping[str, Any]) -> Iterable[str]:
    s3 = root_of(bucket.name).startswith("s3://")
    for name, value in keys.items():
        if name == "requester_pays" and value in (True, False, "true", "false", "True", "False"):
            continue
        if s3 and name not in (*S3_KEYS, *SETTINGS):
            yield f"{name}: is unknown; known are {', '.join((*S3_KEYS, *SETTINGS))}"
        elif not isinstance(value, str) or not value:
            yield f"{name}: a string that is not empty is expected"
        elif s3 and not value.isprintable():
            yield f"{name}: it holds a character that cannot be printed, perhaps a newline at its end"
    if s3 and ("aws_access_key_id" in keys) != ("aws_secret_access_key" in keys):
        yield "aws_access_key_id and aws_secret_access_key are expected together"
    for value in Access(bucket.name, keys={n: v for n, v in keys.items() if n not in SETTINGS}).secrets():
        if isinstance(value, str) and 0 < len(value) < SHORTEST:
            yield f"a value is shorter than {SHORTEST} characters: it could not be kept out of logs"
