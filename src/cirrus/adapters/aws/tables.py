"""The two tables of a deployment and how they are read and written: in the largest batches that DynamoDB takes.

`state` is the table of existing deployments. `outbox` is ours: what conclusions must send, by target and number.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from cirrus.adapters.aws.attributes import Row
from cirrus.adapters.aws.clients import Clients
from cirrus.adapters.aws.faults import code, reported
from cirrus.errors import StoreError

READ_BATCH = 100
STATEMENT_BATCH = 25
ATTENTION = "attention"
LAST_ITEMIDS = {"itemids": {"S": "\U0010ffff" * 256}}
LAST_NUMBER = {"id": {"N": "9" * 38}}
WRITE_BATCH = 25
_ROUNDS = 8
_PAUSE = 0.05
_AGAIN = frozenset(
    {
        "ProvisionedThroughputExceeded",
        "ThrottlingError",
        "RequestLimitExceeded",
        "InternalServerError",
        "TransactionConflict",
        "ThrottlingException",
    }
)
_REFUSED = frozenset({"ConditionalCheckFailed", "DuplicateItem"})
_UNDERWAY = "TransactionInProgressException"  # our own transaction, whose answer was lost, is still being carried out
Statement = tuple[str, list[Row]]


def _schema(name: str, hash_key: str, range_key: str, **types: str) -> dict[str, Any]:
    attributes = {hash_key: "S", range_key: "S"} | types
    return {
        "TableName": name,
        "BillingMode": "PAY_PER_REQUEST",
        "KeySchema": _keys(hash_key, range_key),
        "AttributeDefinitions": [{"AttributeName": one, "AttributeType": kind} for one, kind in attributes.items()],
    }


def _keys(hash_key: str, range_key: str) -> list[dict[str, str]]:
    return [{"AttributeName": hash_key, "KeyType": "HASH"}, {"AttributeName": range_key, "KeyType": "RANGE"}]


def state_schema(name: str, *, attention: bool = False) -> dict[str, Any]:
    """How the state table is created, as existing deployments have it; with the sparse index, if that is wished."""
    more = {ATTENTION: "S"} if attention else {}
    schema = _schema(name, "collections_workflow", "itemids", state_updated="S", updated="S", **more)
    schema["GlobalSecondaryIndexes"] = [
        {
            "IndexName": index,
            "KeySchema": _keys(first, second),
            "Projection": {"ProjectionType": "ALL"},
        }
        for index, first, second in (
            ("state_updated", "collections_workflow", "state_updated"),
            ("updated", "collections_workflow", "updated"),
            *([(ATTENTION, ATTENTION, "updated")] if attention else []),
        )
    ]
    return schema


def outbox_schema(name: str) -> dict[str, Any]:
    """How the table of the outbox is created."""
    return _schema(name, "target", "id", id="N")


class Tables:
    """Reads and writes of DynamoDB. What could not be read raises StoreError; `pause` waits between rounds."""

    def __init__(self, clients: Clients, pause: Callable[[float], None] = time.sleep) -> None:
        self._clients = clients
        self._pause = pause

    @property
    def _client(self) -> Any:
        return self._clients("dynamodb")

    def get(self, table: str, keys: Sequence[Row]) -> list[Row]:
        """The rows of these keys, read consistently; those that are not there are left out."""
        found: list[Row] = []
        for start in range(0, len(keys), READ_BATCH):
            found += self._get(table, keys[start : start + READ_BATCH])
        return found

    def _get(self, table: str, keys: Sequence[Row]) -> list[Row]:
        found: list[Row] = []
        wanted: dict[str, Any] = {table: {"Keys": list(keys), "ConsistentRead": True}}
        for round_ in range(_ROUNDS):
            with reported(f"read from {table}"):
                answer = self._client.batch_get_item(RequestItems=wanted)
            found += answer.get("Responses", {}).get(table, [])
            wanted = answer.get("UnprocessedKeys") or {}
            if not wanted:
                return found
            self._pause(_PAUSE * 2**round_)
        left = len(wanted[table]["Keys"])
        raise StoreError(f"cannot read from {table}: {left} keys were not processed in {_ROUNDS} rounds")

    def execute(self, what: str, statements: Sequence[Statement]) -> list[bool]:
        """Carry out statements about different rows, each on its own; False for one whose condition does not hold."""
        done: list[bool] = []
        for start in range(0, len(statements), STATEMENT_BATCH):
            done += self._execute(what, statements[start : start + STATEMENT_BATCH])
        return done

    def _execute(self, what: str, statements: Sequence[Statement]) -> list[bool]:
        done: dict[int, bool] = {}
        left = list(range(len(statements)))
        told = ""
        for round_ in range(_ROUNDS):
            given = [{"Statement": statements[n][0], "Parameters": statements[n][1]} for n in left]
            with reported(what):
                answers = self._client.batch_execute_statement(Statements=given)["Responses"]
            again = []
            for n, answer in zip(left, answers, strict=True):
                error = answer.get("Error")
                if error and error["Code"] not in _REFUSED:
                    told = f"{error['Code']}: {error.get('Message')}"
                    if error["Code"] not in _AGAIN:
                        raise StoreError(f"cannot {what}: {told}")
                    again.append(n)
                else:
                    done[n] = error is None
            if not again:
                return [done[n] for n in range(len(statements))]
            left = again
            self._pause(_PAUSE * 2**round_)
        raise StoreError(f"cannot {what}: {told}, {_ROUNDS} times")

    def transact(self, what: str, actions: Sequence[Row], token: str) -> list[bool]:
        """One transaction: all of it and an empty list, or nothing of it and for each action whether it could.

        `token` names the transaction: sent again within ten minutes it is not carried out again.
        """
        given = {"TransactItems": list(actions), "ClientRequestToken": token}
        return self._transact(what, lambda: self._client.transact_write_items(**given))

    def execute_all(self, what: str, statements: Sequence[Statement], token: str) -> list[bool]:
        """As `transact`, of statements about different rows."""
        told = [{"Statement": text, "Parameters": values} for text, values in statements]
        given = {"TransactStatements": told, "ClientRequestToken": token}
        return self._transact(what, lambda: self._client.execute_transaction(**given))

    def _transact(self, what: str, call: Callable[[], Any]) -> list[bool]:
        from botocore.exceptions import ClientError

        told = ""
        for round_ in range(_ROUNDS):
            try:
                with reported(what):
                    call()
                return []
            except StoreError as error:
                cause = error.__cause__
                reasons = cause.response.get("CancellationReasons") if isinstance(cause, ClientError) else None
                if reasons is None and not (isinstance(cause, ClientError) and code(cause) == _UNDERWAY):
                    raise
                reasons = reasons or [{"Code": "TransactionConflict"}]
                codes = [reason.get("Code", "None") for reason in reasons]
                if _REFUSED & set(codes):
                    return [one not in _REFUSED for one in codes]
                told = str(error)
                if not _AGAIN & set(codes):
                    raise
            self._pause(_PAUSE * 2**round_)
        raise StoreError(told)

    def write(self, table: str, requests: Sequence[Row]) -> None:
        """Put and delete rows of a table without a condition: all of them, or StoreError."""
        for start in range(0, len(requests), WRITE_BATCH):
            self._write(table, requests[start : start + WRITE_BATCH])

    def _write(self, table: str, requests: Sequence[Row]) -> None:
        wanted: dict[str, Any] = {table: list(requests)}
        for round_ in range(_ROUNDS):
            with reported(f"write to {table}"):
                answer = self._client.batch_write_item(RequestItems=wanted)
            wanted = answer.get("UnprocessedItems") or {}
            if not wanted:
                return
            self._pause(_PAUSE * 2**round_)
        raise StoreError(f"cannot write to {table}: {len(wanted[table])} rows were not processed in {_ROUNDS} rounds")

    def query(self, table: str, *, limit: int | None = None, **asked: Any) -> Iterator[Row]:
        """The rows of a range, page by page as they are taken; up to `limit` are read at once."""
        more = {"Limit": limit} if limit else {}
        while True:
            with reported(f"query {table}"):
                answer = self._client.query(TableName=table, **asked, **more)
            yield from answer.get("Items", [])
            if "LastEvaluatedKey" not in answer:
                return
            more["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    def count(self, table: str, most: int | None = None, **asked: Any) -> int:
        """How many rows a range has; counting ends once there are more than `most`."""
        found: int = 0
        more: dict[str, Any] = {}
        while True:
            with reported(f"count in {table}"):
                answer = self._client.query(TableName=table, Select="COUNT", **asked, **more)
            found += int(answer["Count"])
            if "LastEvaluatedKey" not in answer or (most is not None and found > most):
                return found
            more["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    def groups(self, table: str, hash_key: str, last: Row) -> list[str]:
        """Every value of the first key, sorted, one small read for each; `last` is the second key, greater than any."""
        return sorted(self.each_group(table, hash_key, last))

    def each_group(self, table: str, hash_key: str, last: Row) -> Iterator[str]:
        """The values of the first key in no order, as far as they are asked for.

        No row but the first of each group is read: the scan goes on behind where a last row would stand.
        """
        more: dict[str, Any] = {}
        while True:
            with reported(f"list the groups of {table}"):
                answer = self._client.scan(TableName=table, Limit=1, ProjectionExpression=hash_key, **more)
            if not answer["Items"]:
                return
            found = str(answer["Items"][0][hash_key]["S"])
            yield found
            more["ExclusiveStartKey"] = {hash_key: {"S": found}, **last}
