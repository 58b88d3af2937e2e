"""What a worker's environment says of the buckets that its tasks may use, and the files that it names.

The files stand in the scratch folder, which only this user can enter, and have the mode 0600.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import orjson

from cirrus.core import bucket_options as options
from cirrus.core.bucket import Access
from cirrus.core.grants import FILE, Grants, ambient


def inherited(environment: Mapping[str, str], grants: Grants | None, names: str) -> dict[str, str]:
    """The environment without what opens buckets that are not among `names`."""
    if grants is None:
        return dict(environment)
    opens = ambient(names, grants.named(names))
    gone = grants.hidden - options.AMBIENT if opens else grants.hidden | options.AMBIENT
    return {name: value for name, value in environment.items() if name not in gone}


def variables(grants: Grants | None, names: str, folder: Path) -> dict[str, str]:
    """Write the files for the buckets of these names, and give the variables that lead to them."""
    if grants is None:
        return {}
    accesses = grants.named(names)
    write(folder / "buckets.json", orjson.dumps([asdict(access) for access in accesses]))
    write(folder / "gdalrc", options.gdal_config(accesses).encode())
    found = {FILE: str(folder / "buckets.json"), "GDAL_CONFIG_FILE": str(folder / "gdalrc")}
    if ambient(names, accesses):
        return found
    s3 = [access for access in accesses if access.is_s3]
    write(folder / "aws-config", options.aws_config(s3).encode())
    write(folder / "aws-credentials", options.aws_credentials(s3).encode())
    found |= {"AWS_CONFIG_FILE": str(folder / "aws-config"), "AWS_EC2_METADATA_DISABLED": "true"}
    found["AWS_SHARED_CREDENTIALS_FILE"] = found["CPL_AWS_CREDENTIALS_FILE"] = str(folder / "aws-credentials")
    found["CPL_AWS_EC2_API_ROOT_URL"] = "disabled"
    return found | (options.environment(accesses[0]) if _alone(accesses) else {"AWS_SKIP_SIGNATURE": "true"})


def _alone(accesses: list[Access]) -> bool:
    return len(accesses) == 1 and accesses[0].is_s3


def write(path: Path, data: bytes) -> None:
    """A new file that only this user can read."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "wb") as file:  # noqa: PTH123 - a descriptor
        file.write(data)
