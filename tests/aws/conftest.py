from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from cirrus.adapters.aws.clients import Clients
from cirrus.adapters.aws.tables import outbox_schema, state_schema
from tests.aws import standins

pytestmark = pytest.mark.xdist_group("aws")
_numbers = count()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One worker runs them all: each would start stand-ins of its own."""
    for item in items:
        if "tests/aws/" in str(item.path):
            item.add_marker(pytest.mark.xdist_group("aws"))


def _need_standins() -> None:
    reason = standins.missing()
    if reason and os.environ.get("CI") == "true":
        pytest.fail(reason)
    if reason:
        pytest.skip(reason)


def _started(name: str) -> Callable[..., Iterator[str]]:
    def fixture(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
        _need_standins()
        with getattr(standins, name)(tmp_path_factory.mktemp(name)) as url:
            yield url

    return fixture


dynamodb_url = pytest.fixture(scope="session", name="dynamodb_url")(_started("dynamodb"))
seaweed_url = pytest.fixture(scope="session", name="seaweed_url")(_started("seaweed"))
ministack_url = pytest.fixture(scope="session", name="ministack_url")(_started("ministack"))
moto_url = pytest.fixture(scope="session", name="moto_url")(_started("moto"))


@pytest.fixture
def aws(_no_environment: None, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Point the SDK at stand-ins: the endpoint of everything, and those of single services."""

    def point(everything: str | None = None, **services: str) -> None:
        for name, value in standins.CREDENTIALS.items():
            monkeypatch.setenv(name, value)
        if everything:
            monkeypatch.setenv("AWS_ENDPOINT_URL", everything)
        for name, url in services.items():
            monkeypatch.setenv(f"AWS_ENDPOINT_URL_{name.upper()}", url)

    return point


@pytest.fixture
def tables(dynamodb_url: str, aws: Callable[..., None]) -> Iterator[tuple[Clients, str, str]]:
    """Clients, and the names of a state table and an outbox table of this test's own."""
    aws(dynamodb=dynamodb_url)
    yield from _made(attention=False)


@pytest.fixture
def indexed_tables(dynamodb_url: str, aws: Callable[..., None]) -> Iterator[tuple[Clients, str, str]]:
    """As `tables`, with the sparse index of what needs attention."""
    aws(dynamodb=dynamodb_url)
    yield from _made(attention=True)


def _made(*, attention: bool) -> Iterator[tuple[Clients, str, str]]:
    clients = Clients()
    number = next(_numbers)
    names = f"state-{number}", f"outbox-{number}"
    for schema in (state_schema(names[0], attention=attention), outbox_schema(names[1])):
        clients("dynamodb").create_table(**schema)
    yield (clients, *names)
    for name in names:
        clients("dynamodb").delete_table(TableName=name)


@pytest.fixture(scope="session")
def shared_names(dynamodb_url: str) -> tuple[str, str]:
    """The names of two tables that tests share which only read."""
    return "state-shared", "outbox-shared"


@pytest.fixture
def shared_tables(
    shared_names: tuple[str, str], dynamodb_url: str, aws: Callable[..., None]
) -> tuple[Clients, str, str]:
    """As `tables`, but the same for every test."""
    aws(dynamodb=dynamodb_url)
    return _shared(*shared_names, attention=False)


@pytest.fixture
def shared_indexed_tables(dynamodb_url: str, aws: Callable[..., None]) -> tuple[Clients, str, str]:
    """As `indexed_tables`, but the same for every test."""
    aws(dynamodb=dynamodb_url)
    return _shared("state-indexed", "outbox-indexed", attention=True)


def _shared(state: str, outbox: str, *, attention: bool) -> tuple[Clients, str, str]:
    clients = Clients()
    known = clients("dynamodb").list_tables()["TableNames"]
    for schema in (state_schema(state, attention=attention), outbox_schema(outbox)):
        if schema["TableName"] not in known:
            clients("dynamodb").create_table(**schema)
    return clients, state, outbox


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of this test's own."""
    return tmp_path
