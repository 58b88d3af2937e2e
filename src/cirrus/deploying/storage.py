"""The tables and buckets of a stack. They outlive it: what they hold is not deleted with it, nor by an update."""

from __future__ import annotations

from typing import Any

from troposphere import GetAtt, Sub, Template, dynamodb, s3

from cirrus.adapters.aws.tables import ATTENTION
from cirrus.deploying.places import Places
from cirrus.deploying.retention import object_days

_BROKEN_DAYS = 10
_KEPT = {"DeletionPolicy": "Retain", "UpdateReplacePolicy": "Retain"}
_SSE = s3.BucketEncryption(
    ServerSideEncryptionConfiguration=[
        s3.ServerSideEncryptionRule(
            ServerSideEncryptionByDefault=s3.ServerSideEncryptionByDefault(SSEAlgorithm="AES256")
        )
    ]
)
_CLOSED = s3.PublicAccessBlockConfiguration(
    BlockPublicAcls=True, BlockPublicPolicy=True, IgnorePublicAcls=True, RestrictPublicBuckets=True
)


def add_tables(template: Template, places: Places) -> None:
    """The table of records, as existing deployments have it, and that of what is to be sent."""
    sparse = places.layout.cloud.attention_index
    more = {ATTENTION: "S"} if sparse else {}
    indexes = [_index("state_updated", "collections_workflow"), _index("updated", "collections_workflow")]
    template.add_resource(
        _table(
            "StateTable",
            {"collections_workflow": "S", "itemids": "S", "state_updated": "S", "updated": "S", **more},
            GlobalSecondaryIndexes=[*indexes, *([_index("updated", ATTENTION, ATTENTION)] if sparse else [])],
            TimeToLiveSpecification=dynamodb.TimeToLiveSpecification(AttributeName="expires", Enabled=True),
        )
    )
    expiring = dynamodb.TimeToLiveSpecification(AttributeName="expires", Enabled=True)
    template.add_resource(_table("OutboxTable", {"target": "S", "id": "N"}, TimeToLiveSpecification=expiring))


def _table(name: str, attributes: dict[str, str], **more: Any) -> dynamodb.Table:
    first, second = list(attributes)[:2]
    defined = [dynamodb.AttributeDefinition(AttributeName=one, AttributeType=kind) for one, kind in attributes.items()]
    return dynamodb.Table(
        name,
        **_KEPT,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=_keys(first, second),
        AttributeDefinitions=defined,
        PointInTimeRecoverySpecification=dynamodb.PointInTimeRecoverySpecification(PointInTimeRecoveryEnabled=True),
        SSESpecification=dynamodb.SSESpecification(SSEEnabled=True),
        **more,
    )


def _keys(first: str, second: str) -> list[dynamodb.KeySchema]:
    return [
        dynamodb.KeySchema(AttributeName=first, KeyType="HASH"),
        dynamodb.KeySchema(AttributeName=second, KeyType="RANGE"),
    ]


def _index(second: str, first: str, name: str = "") -> dynamodb.GlobalSecondaryIndex:
    return dynamodb.GlobalSecondaryIndex(
        IndexName=name or second,
        KeySchema=_keys(first, second),
        Projection=dynamodb.Projection(ProjectionType="ALL"),
    )


def add_buckets(template: Template, places: Places) -> None:
    """The buckets of payloads and outputs, but for those that were brought."""
    if places.own_payloads is None:
        expiring = [_expiring(places.root, part, days) for part, days in object_days(places.layout).items()]
        rules = [*expiring, _broken_uploads()]
        _add_bucket(template, "PayloadBucket", rules)
    if places.own_data is None:
        _add_bucket(template, "DataBucket", [_broken_uploads()])


def _expiring(root: str, part: str, days: int) -> s3.LifecycleRule:
    name = part.strip("/").replace("/", "-")
    return s3.LifecycleRule(Id=name, Status="Enabled", Prefix=f"{root}/{part}", ExpirationInDays=days)


def _broken_uploads() -> s3.LifecycleRule:
    abort = s3.AbortIncompleteMultipartUpload(DaysAfterInitiation=_BROKEN_DAYS)
    return s3.LifecycleRule(Id="broken-uploads", Status="Enabled", AbortIncompleteMultipartUpload=abort)


def _add_bucket(template: Template, name: str, rules: list[s3.LifecycleRule]) -> None:
    template.add_resource(
        s3.Bucket(
            name,
            **_KEPT,
            BucketEncryption=_SSE,
            PublicAccessBlockConfiguration=_CLOSED,
            OwnershipControls=s3.OwnershipControls(
                Rules=[s3.OwnershipControlsRule(ObjectOwnership="BucketOwnerEnforced")]
            ),
            LifecycleConfiguration=s3.LifecycleConfiguration(Rules=rules),
        )
    )
    template.add_resource(
        s3.BucketPolicy(
            f"{name}Policy",
            **_KEPT,
            Bucket=template.resources[name].ref(),
            PolicyDocument=tls_only([GetAtt(name, "Arn"), _below(name)]),
        )
    )


def _below(name: str) -> Any:
    return Sub(f"${{{name}.Arn}}/*")


def tls_only(resources: list[Any], service: str = "s3") -> dict[str, Any]:
    """The document of a policy that denies everything that does not come over TLS."""
    statement = {
        "Sid": "TlsOnly",
        "Effect": "Deny",
        "Principal": "*",
        "Action": f"{service}:*",
        "Resource": resources,
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    return {"Version": "2012-10-17", "Statement": [statement]}
