"""The bucket from which CloudFormation takes code and large templates: yours, or one that is made beside the stack."""

from __future__ import annotations

import json
from typing import Any

from cirrus.adapters.aws.clients import Clients
from cirrus.adapters.aws.faults import code, reported
from cirrus.deploying.code import Zip
from cirrus.deploying.layout import Layout
from cirrus.deploying.storage import tls_only
from cirrus.errors import StoreError

_GONE = frozenset({"404", "NoSuchBucket", "NoSuchKey", "NotFound"})
_MOST = 1000


class Artifacts:
    """Objects that a deployment is made from."""

    def __init__(self, clients: Clients, layout: Layout) -> None:
        self._clients = clients
        self._stack = layout.cloud.stack
        self._own = layout.cloud.artifacts is None
        self.bucket = layout.cloud.artifacts or self._default()

    def _default(self) -> str:
        with reported("ask AWS who we are"):
            account = self._clients("sts").get_caller_identity()["Account"]
        return f"{self._stack.lower()[:26].strip('-')}-code-{account}-{self._clients.region}"[:63]

    def exists(self) -> bool:
        """Whether there is such a bucket that we may use."""
        try:
            with reported(f"look for the bucket {self.bucket}"):
                self._clients("s3").head_bucket(Bucket=self.bucket)
        except StoreError as error:
            if code(error.__cause__) in _GONE:
                return False
            raise
        return True

    def prepare(self) -> None:
        """Make the bucket, closed to the public, encrypted, over TLS only; StoreError where yours is not there."""
        if self.exists():
            return
        if not self._own:
            raise StoreError(f"there is no bucket {self.bucket}, which `artifacts` of the deployment names")
        s3, region = self._clients("s3"), self._clients.region
        where = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        with reported(f"make the bucket {self.bucket}"):
            s3.create_bucket(Bucket=self.bucket, **where)
            s3.put_public_access_block(Bucket=self.bucket, PublicAccessBlockConfiguration=_closed())
            s3.put_bucket_encryption(Bucket=self.bucket, ServerSideEncryptionConfiguration=_encrypted())
            arn = f"arn:{s3.meta.partition}:s3:::{self.bucket}"
            s3.put_bucket_policy(Bucket=self.bucket, Policy=json.dumps(tls_only([arn, f"{arn}/*"])))

    def upload(self, code_file: Zip) -> None:
        """Put a zip file where its key says, unless it is there."""
        s3 = self._clients("s3")
        try:
            with reported(f"look for s3://{self.bucket}/{code_file.key}"):
                s3.head_object(Bucket=self.bucket, Key=code_file.key)
        except StoreError as error:
            if code(error.__cause__) not in _GONE:
                raise
            with reported(f"write s3://{self.bucket}/{code_file.key}"), code_file.file.open("rb") as body:
                s3.put_object(Bucket=self.bucket, Key=code_file.key, Body=body)

    def template(self, text: str) -> str:
        """Put a template; gives the URL under which CloudFormation reads it."""
        key = f"{self._stack}/template.json"
        s3 = self._clients("s3")
        with reported(f"write s3://{self.bucket}/{key}"):
            s3.put_object(Bucket=self.bucket, Key=key, Body=text.encode())
        return f"{s3.meta.endpoint_url}/{self.bucket}/{key}"

    def remove(self) -> None:
        """Remove what was uploaded, and the bucket if it was made here."""
        if not self.exists():
            return
        empty(self._clients, self.bucket, f"{self._stack}/")
        if self._own:
            with reported(f"delete the bucket {self.bucket}"):
                self._clients("s3").delete_bucket(Bucket=self.bucket)


def empty(clients: Clients, bucket: str, prefix: str = "") -> int:
    """Delete every object below a prefix, page by page; gives how many there were."""
    removed = 0
    while True:
        with reported(f"empty the bucket {bucket}"):
            page = clients("s3").list_objects_v2(Bucket=bucket, Prefix=prefix, MaxKeys=_MOST)
            keys = [{"Key": one["Key"]} for one in page.get("Contents", [])]
            if not keys:
                return removed
            answer = clients("s3").delete_objects(Bucket=bucket, Delete={"Objects": keys, "Quiet": True})
        if answer.get("Errors"):
            first = answer["Errors"][0]
            raise StoreError(f"cannot empty the bucket {bucket}: {first['Key']}: {first.get('Message')}")
        removed += len(keys)


def _closed() -> dict[str, bool]:
    names = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
    return dict.fromkeys(names, True)


def _encrypted() -> dict[str, Any]:
    return {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]}
