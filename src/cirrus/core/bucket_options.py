"""A bucket's access in the words of those who use it: obstore, fsspec, boto3, GDAL, and the files they read."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

from cirrus.core.bucket import Access

Options = dict[str, Any]
# What the environment may hold that opens stores: tasks inherit it only where a bucket of theirs is opened with it.
AMBIENT = frozenset(
    [
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_SECURITY_TOKEN",
        "AWS_CREDENTIAL_EXPIRATION",
        "AWS_PROFILE",
        "AWS_DEFAULT_PROFILE",
        "AWS_SHARED_CREDENTIALS_FILE",
        "AWS_CONFIG_FILE",
        "AWS_ROLE_ARN",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
        "GOOGLE_APPLICATION_CREDENTIALS",
        "GOOGLE_SERVICE_ACCOUNT",
        "GOOGLE_SERVICE_ACCOUNT_PATH",
        "GOOGLE_SERVICE_ACCOUNT_KEY",
        "GS_ACCESS_KEY_ID",
        "GS_SECRET_ACCESS_KEY",
        "GS_OAUTH2_PRIVATE_KEY",
        "AZURE_STORAGE_ACCOUNT_KEY",
        "AZURE_STORAGE_ACCESS_KEY",
        "AZURE_STORAGE_KEY",
        "AZURE_STORAGE_SAS_TOKEN",
        "AZURE_STORAGE_SAS_KEY",
        "AZURE_STORAGE_CONNECTION_STRING",
        "AZURE_STORAGE_CLIENT_SECRET",
        "AZURE_STORAGE_TOKEN",
        "AZURE_CLIENT_SECRET",
        "AZURE_PASSWORD",
        "AZURE_FEDERATED_TOKEN_FILE",
    ]
)
_AZURE_GDAL = {
    "AZURE_STORAGE_ACCOUNT": ("azure_storage_account_name", "account_name"),
    "AZURE_STORAGE_ACCESS_KEY": ("azure_storage_account_key", "account_key"),
    "AZURE_STORAGE_SAS_TOKEN": ("azure_storage_sas_key", "sas_key"),
}


def obstore_options(access: Access) -> Options:
    """Arguments of obstore's `from_url`; keys are not among them for S3: they are `s3_credential`."""
    plain = bool(access.endpoint and access.endpoint.startswith("http://"))
    options: Options = {"client_options": {"allow_http": True}} if plain else {}
    if not access.is_s3:
        options |= dict(access.keys)
        if access.endpoint:
            options["base_url" if access.root.startswith("gs://") else "endpoint"] = access.endpoint
        return options | ({"skip_signature": True} if access.anonymous else {})
    if access.endpoint:
        options["endpoint"] = access.endpoint if access.path_style else hosted(access.endpoint, access.bucket)
        options["virtual_hosted_style_request"] = not access.path_style
    if access.region:
        options["region"] = access.region
    if access.requester_pays:
        options["request_payer"] = True
    if not access.ambient:
        options["skip_signature"] = access.anonymous
    return options


def s3_credential(access: Access) -> Options | None:
    """The keys as obstore's credential providers give them; None where there are none."""
    if not access.keys:
        return None
    names = ("access_key_id", "secret_access_key", "token")
    values = (access.keys.get(f"aws_{name}") for name in ("access_key_id", "secret_access_key", "session_token"))
    return {**dict(zip(names, values, strict=True)), "expires_at": None}


def session_options(access: Access) -> Options:
    """Arguments of `boto3.Session`."""
    options: Options = dict(access.keys)
    return options | ({"region_name": access.region} if access.region else {})


def client_options(access: Access) -> Options:
    """Arguments of a boto3 session's `client("s3")`; its `config` as a dict for botocore's Config."""
    config: Options = {"s3": {"addressing_style": "path" if access.path_style else "auto"}}
    return {"config": config, **({"endpoint_url": access.endpoint} if access.endpoint else {})}


def storage_options(access: Access) -> Options:
    """Arguments of fsspec's file system for the bucket: s3fs, gcsfs or adlfs."""
    if access.is_s3:
        return _s3fs(access)
    if access.root.startswith("gs://"):
        key = access.keys.get("google_service_account_key") or access.keys.get("service_account_key")
        return {"token": json.loads(key) if key else "anon" if access.anonymous else None}
    names = {"account_name": "account_name", "account_key": "account_key", "sas_key": "sas_token"}
    keys = {name.removeprefix("azure_storage_"): value for name, value in access.keys.items()}
    return {names.get(name, name): value for name, value in keys.items()} | ({"anon": True} if access.anonymous else {})


def _s3fs(access: Access) -> Options:
    short = {"aws_access_key_id": "key", "aws_secret_access_key": "secret", "aws_session_token": "token"}
    options: Options = {short[name]: value for name, value in access.keys.items()}
    if access.endpoint:
        options["endpoint_url"] = access.endpoint
    if access.region:
        options["client_kwargs"] = {"region_name": access.region}
    if access.path_style:
        options["config_kwargs"] = {"s3": {"addressing_style": "path"}}
    for name, value in (("anon", access.anonymous), ("requester_pays", access.requester_pays)):
        if value:
            options[name] = True
    return options


def gdal_options(access: Access) -> dict[str, str]:
    """GDAL's configuration options for the bucket, also under the names of environment variables."""
    if not access.is_s3:
        return _other_gdal(access)
    options = {name.upper(): value for name, value in access.keys.items()}
    if access.anonymous:
        options["AWS_NO_SIGN_REQUEST"] = "YES"
    if access.region:
        options["AWS_REGION"] = access.region
    if access.requester_pays:
        options["AWS_REQUEST_PAYER"] = "requester"
    if access.endpoint:
        parts = urlsplit(access.endpoint)
        options["AWS_S3_ENDPOINT"] = parts.netloc + parts.path.rstrip("/")
        options["AWS_HTTPS"] = "NO" if parts.scheme == "http" else "YES"
        options["AWS_VIRTUAL_HOSTING"] = "FALSE" if access.path_style else "TRUE"
    return options


def _other_gdal(access: Access) -> dict[str, str]:
    if access.root.startswith("gs://"):
        key = access.keys.get("google_service_account_key") or access.keys.get("service_account_key")
        account = json.loads(key) if key else {}
        named = {"GS_OAUTH2_PRIVATE_KEY": "private_key", "GS_OAUTH2_CLIENT_EMAIL": "client_email"}
        options = {option: account[name].replace("\n", "\\n") for option, name in named.items() if account.get(name)}
        return options | ({"GS_NO_SIGN_REQUEST": "YES"} if access.anonymous else {})
    options = {option: access.keys[n] for option, names in _AZURE_GDAL.items() for n in names if n in access.keys}
    return options | ({"AZURE_NO_SIGN_REQUEST": "YES"} if access.anonymous else {})


def environment(access: Access) -> dict[str, str]:
    """Variables with which every S3 client of a process that knows one bucket alone finds its way."""
    variables = gdal_options(access)
    if access.region:
        variables["AWS_DEFAULT_REGION"] = access.region
    if access.endpoint:
        variables["AWS_ENDPOINT_URL_S3"] = access.endpoint
        variables["AWS_ENDPOINT"] = obstore_options(access)["endpoint"]
        variables["AWS_VIRTUAL_HOSTED_STYLE_REQUEST"] = "false" if access.path_style else "true"
        variables["AWS_ALLOW_HTTP"] = "true" if access.endpoint.startswith("http://") else "false"
    if access.requester_pays:
        variables |= {"AWS_REQUEST_PAYER": "requester", "FSSPEC_S3_REQUESTER_PAYS": "true"}
    if access.anonymous:
        variables |= {"AWS_SKIP_SIGNATURE": "true", "FSSPEC_S3_ANON": "true"}
    return variables


def gdal_config(accesses: Iterable[Access]) -> str:
    """A configuration file for GDAL that gives each bucket its options by path, and lets rasters be written there."""
    lines = ["[configoptions]", "CPL_VSIL_USE_TEMP_FILE_FOR_RANDOM_WRITE=YES", "", "[credentials]", ""]
    for number, access in enumerate(accesses):
        if options := gdal_options(access):
            lines += [f"[.bucket{number}]", f"path={gdal_path(access)}"]
            lines += [f"{name}={value}" for name, value in options.items()] + [""]
    return "\n".join(lines)


def gdal_path(access: Access) -> str:
    """Where GDAL sees the bucket; it does not match a path that ends in a slash."""
    scheme, _, rest = access.root.partition("://")
    folder = {"s3": "vsis3", "gs": "vsigs"}.get(scheme, "vsiaz")
    return f"/{folder}/{rest}"


def aws_config(accesses: Iterable[Access]) -> str:
    """The AWS configuration file with a profile for each bucket."""
    lines: list[str] = []
    for access in accesses:
        lines += [f"[profile {access.bucket}]"]
        lines += [f"region = {access.region}"] if access.region else []
        lines += ["s3 =", "    addressing_style = path"] if access.path_style else []
        lines += [f"services = {access.bucket}"] if access.endpoint else []
        if access.endpoint:
            lines += ["", f"[services {access.bucket}]", "s3 =", f"    endpoint_url = {access.endpoint}"]
        lines.append("")
    return "\n".join(lines)


def aws_credentials(accesses: Iterable[Access]) -> str:
    """The AWS credentials file with a profile for each bucket that has keys."""
    lines: list[str] = []
    for access in accesses:
        if access.keys:
            lines += [f"[{access.bucket}]", *(f"{name} = {value}" for name, value in access.keys.items()), ""]
    return "\n".join(lines)


def hosted(endpoint: str, bucket: str) -> str:
    """The endpoint with the bucket's name before its host."""
    scheme, _, rest = endpoint.partition("://")
    return f"{scheme}://{bucket}.{rest}"
