"""What the site shows otherwise than a repository does: files by their names, and bars in code inside of tables."""

import re
from typing import Any

_CODE = re.compile(r"`[^`\n]+`")
_FILE = re.compile(r"<!-- (?:edit|write|append): (\S+) -->\n+```(\w+)\n")


def on_page_markdown(markdown: str, **_: Any) -> str:
    """A page before it is rendered."""
    named = _FILE.sub(r'```\2 title="\1"\n', markdown)
    return _CODE.sub(lambda found: found[0].replace("\\|", "|"), named)
