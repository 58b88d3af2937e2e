"""Tasks that use buckets in every way, and tasks that let secrets out in every way; copied into a test's project."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import urllib.parse
from contextlib import suppress
from pathlib import Path

from stactask import Task

from cirrus.tasks import access, kit


def by_kit(bucket):
    kit.objects().put(f"s3://{bucket}/kit.txt", b"kit")
    assert kit.objects().get(f"s3://{bucket}/kit.txt") == b"kit"


def by_obstore(bucket):
    import obstore

    obstore.put(access.store(bucket), "obstore.txt", b"obstore")
    assert bytes(obstore.get(access.store(bucket), "obstore.txt").bytes()) == b"obstore"


def by_boto3(bucket):
    client = access.s3_client(bucket)
    client.put_object(Bucket=bucket, Key="boto3.txt", Body=b"boto3")
    assert client.get_object(Bucket=bucket, Key="boto3.txt")["Body"].read() == b"boto3"


def by_profile(bucket):
    import boto3

    client = boto3.Session(profile_name=bucket).client("s3")
    client.put_object(Bucket=bucket, Key="profile.txt", Body=b"profile")


def by_s3fs(bucket):
    import fsspec

    system = fsspec.filesystem("s3", skip_instance_cache=True, **access.storage_options(bucket))
    system.pipe(f"{bucket}/s3fs.txt", b"s3fs")
    assert system.cat(f"{bucket}/s3fs.txt") == b"s3fs"


def by_gdal(bucket):
    import numpy
    import rasterio

    profile = {"driver": "GTiff", "width": 16, "height": 16, "count": 1, "dtype": "uint8", "crs": "EPSG:32633"}
    profile["transform"] = rasterio.Affine(10, 0, 0, 0, -10, 0)
    with rasterio.open(f"/vsis3/{bucket}/gdal.tif", "w", **profile) as raster:
        raster.write(numpy.full((1, 16, 16), 7, "uint8"))
    with rasterio.open(f"s3://{bucket}/gdal.tif") as raster:
        assert raster.read().sum() == 7 * 256


def by_gdal_program(bucket):
    program = f"import rasterio; assert rasterio.open('/vsis3/{bucket}/gdal.tif').width == 16"
    subprocess.run([sys.executable, "-W", "ignore", "-c", program], check=True)


def by_bare_boto3(bucket):
    import boto3

    boto3.client("s3").put_object(Bucket=bucket, Key="bare.txt", Body=b"bare")


def by_bare_obstore(bucket):
    import obstore
    from obstore.store import from_url

    obstore.put(from_url(f"s3://{bucket}"), "bare.txt", b"bare")


def by_bare_s3fs(bucket):
    import fsspec

    fsspec.filesystem("s3", skip_instance_cache=True).pipe(f"{bucket}/bare.txt", b"bare")


WAYS = [by_kit, by_obstore, by_boto3, by_profile, by_s3fs, by_gdal, by_gdal_program]
BARE = [by_bare_boto3, by_bare_obstore, by_bare_s3fs]


def probe(payload):
    found = {}
    for bucket in ("scenes", "products"):
        for way in [*WAYS, *BARE]:
            try:
                way(bucket)
                found[f"{bucket} {way.__name__}"] = "ok"
            except BaseException as error:
                print(bucket, way.__name__, type(error).__name__, error)
                found[f"{bucket} {way.__name__}"] = type(error).__name__
    return {**payload, "found": found, "buckets": access.buckets()}


class Fetch(Task):
    """As anybody writes a task: it knows nothing of Cirrus."""

    name = "fetch"

    def validate(self):
        return True

    def process(self, **_):
        item = self.download_item_assets(self.items[0], path_template="${id}")
        assert Path(item.assets["data"].get_absolute_href()).read_bytes() == b"yes"
        item.assets["data"].href = item.assets["data"].get_absolute_href()
        item = self.upload_item_assets_to_s3(item)
        return [item.to_dict(include_self_link=False, transform_hrefs=False)]


# ---------------------------------------------------------------- letting secrets out


def known():
    """Whatever of the bucket's secret the task can find."""
    return next(iter(access.granted().values())).keys["aws_secret_access_key"]


def print_all(payload):
    print(json.dumps(dict(os.environ)))
    print(repr(os.environ), file=sys.stderr)
    subprocess.run(["env"], check=True)
    for file in (os.environ["CIRRUS_BUCKETS_FILE"], os.environ["GDAL_CONFIG_FILE"]):
        print(Path(file).read_text())
    secret = known()
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):  # it has ended
            assert secret.encode() not in file.read_bytes(), "a secret stands in a command line"
    print(base64.b64encode(f"user:{secret}".encode()).decode(), urllib.parse.quote(secret, safe=""))
    for character in secret:
        sys.stdout.write(character)
        sys.stdout.flush()
    print("\nprinted")
    return payload


def raise_all(payload):
    raise RuntimeError("x" * 15_990 + f" cannot open it with {known()} as {os.environ}")


def return_all(payload):
    payload["features"][0]["properties"] = {"note": f"opened with {known()}"}
    return payload
