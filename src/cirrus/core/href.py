"""Hrefs of Assets, which may be relative to the place of their Item."""

from __future__ import annotations

import posixpath

from cirrus.core.path_template import is_url


def absolute(href: str, base: str | None) -> str | None:
    """The URL or absolute path that an href means beside `base`; None where it is relative and there is no base."""
    if is_url(href) or href.startswith("/"):
        return href
    if not base:
        return None
    scheme, mark, rest = base.rpartition("://")
    return scheme + mark + posixpath.normpath(posixpath.join(posixpath.dirname(rest), href))
