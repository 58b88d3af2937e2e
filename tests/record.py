"""`python -m tests.record PAGE...`: run the marked blocks of pages, and write into them what their commands print.

What a page shows with `...` in it is left as it is, if it still fits.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from tests import test_docs as docs


def record(page: Path) -> None:
    """Play a page as its test does, and fill in the output of every command."""
    text, parts, last = page.read_text(), [], 0
    with tempfile.TemporaryDirectory() as name:
        folder = here = Path(name)
        shutil.copy(page, folder / "page.md")
        for step in docs.STEP.finditer(text):
            if step["file"]:
                docs.change(here / step["file"], step["what"], step["body"])
                continue
            begin, end = step.span("body")
            parts.append(text[last:begin])
            last = end
            for command, shown in docs.commands(step["body"]):
                parts.append(f"$ {command}\n")
                if command.startswith("cd "):
                    here = (here / command.removeprefix("cd ")).resolve()
                    continue
                got = docs.terminal(command, here)
                same = docs.fits(docs.plain(shown, folder), docs.plain(got, folder))
                new = "".join(f"{line.rstrip()}\n" for line in got.rstrip().split("\n") if got.strip())
                parts.append(shown if same else new.replace(str(folder.resolve()), docs.HOME))
    page.write_text("".join(parts) + text[last:])


if __name__ == "__main__":
    for named in sys.argv[1:]:
        record(Path(named))
