"""What a URL or a path names: a local file, an object in a store, or a page on the web."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from cirrus.core import path_template
from cirrus.errors import UploadError

_AZURE_HOST = re.compile(r"\.(dfs|blob)\.(core\.windows\.net|fabric\.microsoft\.com)$")
STORES = ("s3", "s3a", "gs", "az", "azure", "adl", "abfs", "abfss", "memory")


@dataclass(frozen=True, slots=True)
class File:
    """A file on this machine, by absolute path."""

    path: Path


@dataclass(frozen=True, slots=True)
class Key:
    """An object: `root` is the URL of its store, `key` its name there."""

    root: str
    key: str


@dataclass(frozen=True, slots=True)
class Page:
    """What an http or https URL gives; it can be read only."""

    url: str


Location = File | Key | Page


def locate(url: str) -> Location:
    """What `url` names; ValueError if it names nothing, or something outside of its own root."""
    if not path_template.is_url(url):
        if not url.startswith("/"):
            raise ValueError("an absolute path or a URL is expected")
        return File(inside(url))
    scheme = urlsplit(url).scheme.lower()
    if scheme == "file":
        return File(inside(unquote(urlsplit(url).path)))
    contained(url)
    if scheme in ("http", "https"):
        return web(url)
    if scheme not in STORES:
        raise ValueError(f"no store is known for {scheme}://")
    return key_in(*split(url, 0))


def names_store(url: str) -> bool:
    """Whether objects can be written below a URL."""
    try:
        return not isinstance(locate(f"{url.rstrip('/')}/object"), Page)
    except ValueError:
        return False


def inside(path: str) -> Path:
    """The file of an absolute path; `..` in it would lead elsewhere than it says."""
    if "\0" in path or ".." in path.split("/"):
        raise ValueError("'..' leads out of its root")
    return Path(path)


def web(url: str) -> Location:
    """A web address: an object where the host is Azure's, else a page."""
    host = urlsplit(url).hostname or ""
    if _AZURE_HOST.search(host) and not urlsplit(url).query:
        return key_in(*split(url, 1))
    return Page(url)


def split(url: str, folders: int) -> tuple[str, str]:
    """The URL's root, with its first `folders` folders, and the rest."""
    scheme, _, rest = url.partition("://")
    parts = rest.split("/", folders + 1)
    root = "/".join(parts[: folders + 1])
    return f"{scheme}://{root}", parts[folders + 1] if len(parts) > folders + 1 else ""


def key_in(root: str, key: str) -> Key:
    """The object of that key, if it names one."""
    if not key or key.endswith("/"):
        raise ValueError("the URL names no object")
    return Key(root, key)


def contained(place: str) -> None:
    """ValueError unless a URL or relative place stays below its root."""
    try:
        path_template.check(place)
    except UploadError as error:
        raise ValueError(str(error).removeprefix(f"cannot write {place}: ")) from None
