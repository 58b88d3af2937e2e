"""What the reader of a distributed Map finds in a bucket that is a folder."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from cirrus.asl.failure import Failure
from cirrus.tasks.object_items import read_items


@pytest.fixture
def bucket(tmp_path: Path) -> Path:
    for name, content in {
        "in/a.json": '[{"id": 1}, {"id": 2}]',
        "in/b.json": '{"k": 3}',
        "in/empty.json": "",
        "input.json": "[9]",
        "rows/1.csv": "1,x\n2,y\n",
        "rows/2.csv": "3,z\n",
        "manifest.csv": "s3://data/rows/1.csv\ns3://data/rows/2.csv\n",
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content)
    return tmp_path


def read(bucket: Path, key: str = "", config: dict[str, Any] | None = None, prefix: str | None = None) -> Any:
    given = {
        "place": f"{bucket}/{prefix if key == '' else key}",
        "list": prefix is not None,
        "root": f"{bucket}/",
        "prefix": prefix or "",
        "config": config or {},
        "buckets": {"data": str(bucket)},
    }
    return read_items(given)["output"]


def test_one_file_is_its_text(bucket: Path) -> None:
    assert read(bucket, "input.json") == "[9]"


def test_a_compressed_file(bucket: Path) -> None:
    (bucket / "a.jsonl.gz").write_bytes(gzip.compress(b'\xef\xbb\xbf{"a": 1}\n'))
    assert read(bucket, "a.jsonl.gz", {"InputType": "JSONL"}) == '{"a": 1}\n'
    (bucket / "a.zst").write_bytes(b"\x28\xb5\x2f\xfd....")
    with pytest.raises(ValueError, match="Zstandard"):
        read(bucket, "a.zst")


@pytest.mark.parametrize(
    ("prefix", "keys"),
    [
        ("in/", ["in/a.json", "in/b.json", "in/empty.json"]),
        ("in", ["in/a.json", "in/b.json", "in/empty.json", "input.json"]),
        ("in/b", ["in/b.json"]),
        ("nothing/", []),
    ],
)
def test_a_listing_has_whole_keys(bucket: Path, prefix: str, keys: list[str]) -> None:
    found = read(bucket, prefix=prefix)
    assert [one["Key"] for one in found] == keys
    for one in found:
        assert one["Size"] == (bucket / one["Key"]).stat().st_size
        assert set(one) == {"Etag", "Key", "LastModified", "Size", "StorageClass"}
        assert isinstance(one["LastModified"], int)


def test_a_listing_of_at_most_so_many(bucket: Path) -> None:
    assert len(read(bucket, prefix="in", config={"MaxItems": 2})) == 2
    with pytest.raises(Failure, match="MaxItems"):
        read(bucket, prefix="in", config={"MaxItems": -1})


def test_the_files_of_a_listing(bucket: Path) -> None:
    config = {"InputType": "JSON", "Transformation": "LOAD_AND_FLATTEN"}
    assert read(bucket, prefix="in/", config=config) == [{"id": 1}, {"id": 2}, {"Key": "k", "Value": 3}]
    assert read(bucket, prefix="in/", config={**config, "MaxItems": 1}) == [{"id": 1}]


def test_the_files_of_an_athena_manifest(bucket: Path) -> None:
    config = {
        "ManifestType": "ATHENA_DATA",
        "InputType": "CSV",
        "CSVHeaderLocation": "GIVEN",
        "CSVHeaders": ["n", "c"],
    }
    rows = read(bucket, "manifest.csv", config)
    assert rows == [{"n": "1", "c": "x"}, {"n": "2", "c": "y"}, {"n": "3", "c": "z"}]


@pytest.mark.parametrize("config", [{"InputType": "MANIFEST"}, {"ManifestType": "S3_INVENTORY"}])
def test_the_objects_of_an_inventory(bucket: Path, config: dict[str, Any]) -> None:
    row = '"data","in/a.json","22","2022-11-16T00:27:19.000Z"\n'
    (bucket / "part.csv.gz").write_bytes(gzip.compress(row.encode()))
    manifest = {
        "sourceBucket": "data",
        "destinationBucket": "arn:aws:s3:::data",
        "fileFormat": "CSV",
        "fileSchema": "Bucket, Key, Size, LastModifiedDate",
        "files": [{"key": "part.csv.gz", "size": 7300}],
    }
    (bucket / "manifest.json").write_text(json.dumps(manifest))
    assert read(bucket, "manifest.json", config) == [
        {"Bucket": "data", "Key": "in/a.json", "Size": "22", "LastModifiedDate": "2022-11-16T00:27:19.000Z"}
    ]
    (bucket / "manifest.json").write_text(json.dumps({**manifest, "fileFormat": "ORC"}))
    with pytest.raises(ValueError, match="ORC"):
        read(bucket, "manifest.json", config)
    (bucket / "manifest.json").write_text("[]")
    with pytest.raises(ValueError, match="fileSchema"):
        read(bucket, "manifest.json", config)
