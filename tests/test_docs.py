"""The documentation is what the program is: generated pages, links, names, and the tutorial's commands and output."""

from __future__ import annotations

import doctest
import os
import pty
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cirrus import errors
from cirrus.core.event import EventType
from cirrus.core.state import State
from cirrus.entry.cli import reference
from cirrus.settings import SECTIONS

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
PLAYED = [page for page in PAGES if "<!-- run -->" in page.read_text()]
LINK = re.compile(r"(?<!!)\[[^\]\n]*\]\(([^)\s]+)\)")
PICTURE = re.compile(r"!\[[^\]\n]*\]\(([^)\s]+)\)")
PROSE = re.compile(r"```.*?```|`[^`\n]*`", re.DOTALL)


def named(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_generated_blocks_are_what_the_generator_gives_now(page):
    assert page.read_text() == reference.filled(page.read_text()), "run: python -m cirrus.entry.cli.reference docs"


@pytest.mark.parametrize("name", reference.WHOLE)
def test_generated_pictures_are_what_the_generator_gives_now(name):
    picture = (ROOT / "docs" / name).read_text()
    assert picture == reference.WHOLE[name](), "run: python -m cirrus.entry.cli.reference docs"


def test_every_block_is_used():
    text = "".join(page.read_text() for page in PAGES)
    assert [name for name in reference.BLOCKS if f"<!-- generated: {name} -->" not in text] == []


def test_every_command_and_option_is_in_the_reference():
    text = (ROOT / "docs/reference/cli.md").read_text()
    for words, command in reference.commands():
        _, mark, section = text.partition(f"## `{words}`\n")
        assert mark, words
        section = section.partition("\n## ")[0]
        for option in reference.options(command):
            assert all(f"`{name}" in section or f", {name}" in section for name in option.opts), (words, option.opts)


def test_every_setting_is_in_the_reference():
    text = (ROOT / "docs/reference/settings.md").read_text()
    for section, settings in SECTIONS.items():
        _, mark, rest = text.partition(f"## `[{section}]`\n")
        assert mark, section
        missing = [one.name for one in settings if f"| `{one.name}` |" not in rest.partition("\n## ")[0]]
        assert not missing, (section, missing)


ERRORS = [name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, Exception)]


@pytest.mark.parametrize(("page", "names"), [("state", list(State)), ("events", list(EventType)), ("errors", ERRORS)])
def test_every_name_is_explained(page, names):
    text = (ROOT / f"docs/reference/{page}.md").read_text()
    assert [name for name in names if f"`{name}`" not in text] == []


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_relative_links_lead_somewhere(page):
    broken = []
    for target in LINK.findall(PROSE.sub("", page.read_text())):
        path, _, anchor = target.partition("#")
        if "://" in target or target.startswith("mailto:"):
            continue
        file = (page.parent / path).resolve() if path else page
        if not file.exists() or (anchor and anchor not in anchors(file)):
            broken.append(target)
    assert broken == []


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub gives to a page's headings."""
    heads = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


def test_every_page_can_be_reached_from_the_readme():
    reached, ahead = set(), [ROOT / "README.md"]
    while ahead:
        page = ahead.pop()
        if page in reached or page.suffix != ".md" or not page.exists():
            continue
        reached.add(page)
        links = LINK.findall(page.read_text())
        ahead += [(page.parent / target.partition("#")[0]).resolve() for target in links if "://" not in target]
    assert [named(page) for page in PAGES if page not in reached] == []


def test_every_page_stands_in_the_navigation_of_the_site():
    site = (ROOT / "mkdocs.yml").read_text()
    pages = [str(page.relative_to(ROOT / "docs")) for page in PAGES if page.is_relative_to(ROOT / "docs")]
    assert [page for page in pages if f" {page}\n" not in site] == []


# ---------------------------------------------------------------- what pages show is what happens

STEP = re.compile(r"<!-- (?P<what>run|edit|write|append)(?:: (?P<file>\S+))? -->\n+```\w+\n(?P<body>.*?)```", re.DOTALL)
HOME = "/home/ana"
DIFFERS = {  # from run to run
    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d)?(?:\.\d+)?(?:\+00:00|Z)?": "<time>",
    r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}": "<id>",
    r"\+?\d+\.\d{3} s\b": "<duration>",
    r"\b\d+ (?:s|min) ago": "<duration> ago",
    r"\blog \d+ B\b": "log <size>",  # a traceback names the folder
}
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
COLUMNS = "120"


@pytest.mark.parametrize("page", PLAYED, ids=named)
def test_the_commands_of_a_page_give_what_it_shows(page, tmp_path):
    shutil.copy(page, tmp_path / "page.md")
    last = play(page.read_text(), tmp_path)
    for picture in PICTURE.findall(page.read_text()):
        if (last / picture).exists():  # its commands drew it
            assert (last / picture).read_text() == (page.parent / picture).read_text(), picture


NOT_RUN = {
    "docs/how-to/deploy-on-aws.md": "an account of AWS; tests/aws/test_deploy.py",
    "docs/how-to/give-tasks-access-to-buckets.md": "secrets check opens a bucket of S3; tests/e2e/test_secrets.py",
    "docs/how-to/run-several-control-processes.md": "two terminals at once, and signals; tests/e2e/test_pipeline.py",
    "docs/how-to/fail-fix-rerun.md": "abort: an execution would have to last until then; tests/e2e/test_pipeline.py",
    "docs/how-to/call-services.md": "answers to tokens, which each run makes anew; tests/e2e/test_services.py",
}
"""Pages with commands that are not executed here: which, why, and where else they are tried."""


@pytest.mark.parametrize("page", [page for page in PAGES if page.parent.name in {"tutorial", "how-to"}], ids=named)
def test_every_command_of_a_page_is_run(page):
    blocks = len(re.findall(r"^```(?:console|sh|bash)$", page.read_text(), re.MULTILINE))
    steps = STEP.finditer(page.read_text())
    marked = len([step for step in steps if step["what"] == "run" or step["file"].endswith(".sh")])
    assert (blocks > marked) == (named(page) in NOT_RUN)


def play(text: str, folder: Path) -> Path:
    """Run the marked blocks of a page one after another, as in one terminal; gives the folder that it ends in."""
    here = folder
    for step in STEP.finditer(text):
        if step["file"]:
            change(here / step["file"], step["what"], step["body"])
            continue
        for command, shown in commands(step["body"]):
            if command.startswith("cd "):
                here = (here / command.removeprefix("cd ")).resolve()
                continue
            got = plain(terminal(command, here), folder)
            want = plain(shown, folder)
            assert fits(want, got), f"$ {command}\n--- the page shows\n{want}\n--- the command gave\n{got}"
    return here


def fits(want: str, got: str) -> bool:
    """Whether a command gave what a page shows, in which `...` stands for anything."""
    return doctest.OutputChecker().check_output(want, got, doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)


def commands(body: str) -> Iterator[tuple[str, str]]:
    """The commands of a console block, each with the output that follows it."""
    for part in re.split(r"^\$ ", body, flags=re.MULTILINE)[1:]:
        command = re.match(r"(?:.*\\\n)*.*\n", part)
        assert command
        yield command[0].strip(), part[command.end() :]


def change(file: Path, what: str, body: str) -> None:
    """Do to a file what a page tells its reader to do."""
    if what == "edit":
        edit(file, body)
    else:
        with file.open("a" if what == "append" else "w") as opened:
            opened.write(body if what == "write" else f"\n{body}")


def edit(file: Path, diff: str) -> None:
    """Replace what a diff shows of the old file, which must stand there exactly once, by what it shows of the new."""
    lines = diff.splitlines()
    old = "".join(line[1:] + "\n" for line in lines if line[:1] in "- ")
    new = "".join(line[1:] + "\n" for line in lines if line[:1] in "+ ")
    text = file.read_text()
    assert text.count(old) == 1, f"{file} has this {text.count(old)} times:\n{old}"
    file.write_text(text.replace(old, new))


def terminal(command: str, folder: Path) -> str:
    """What a terminal shows once a command has ended, progress that was wiped out left out."""
    ours, theirs = pty.openpty()
    environment = {
        **os.environ,
        "COLUMNS": COLUMNS,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    with subprocess.Popen(
        ["bash", "-c", command], cwd=folder, stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs, env=environment
    ):
        os.close(theirs)
        shown = bytearray()
        try:
            while data := os.read(ours, 65536):
                shown += data
        except OSError:  # the other end is closed
            pass
        os.close(ours)
    lines = shown.decode().replace("\r\n", "\n").split("\n")
    return COLOUR.sub("", "\n".join(line.rpartition("\x1b[K")[2] for line in lines))


def plain(text: str, folder: Path) -> str:
    """Output without what differs from run to run: times, ids of executions, where the project stands."""
    text = text.replace(str(folder.resolve()), HOME)
    for pattern, name in DIFFERS.items():
        text = re.sub(pattern, name, text)
    return text.rstrip() + "\n"
