"""The import rule of the design, held on the real import graph; nothing here imports what it looks at."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[1] / "src" / "cirrus"
RANKS = {
    "errors": 0,
    "core": 1,
    "asl": 2,
    "ports": 3,
    "flow": 4,
    "schemas": 5,
    "scaffold": 5,
    "drawing": 5,
    "trial": 5,
    "demo": 6,
    "feeders": 6,
    "tasks": 6,
    "adapters": 6,
    "settings": 7,
    "variables": 7,
    "workflows": 7,
    "backends": 7,
    "testing": 8,
    "app": 8,
    "deployed": 7.5,
    "stored": 7.5,
    "deploying": 8,
    "client": 9,
    "entry": 10,
}
PURE = ("errors", "core", "asl", "ports", "flow")
PURE_MAY = {
    *("__future__", "abc", "base64", "bisect", "binascii", "collections", "contextlib", "copy", "csv", "dataclasses"),
    *("datetime", "decimal", "difflib", "enum", "fnmatch", "functools", "hashlib", "heapq", "html", "io", "itertools"),
    *("json", "math", "posixpath"),
    *("numbers", "operator", "re", "string", "sys", "types", "typing", "unicodedata", "urllib.parse", "uuid"),
    *("orjson", "jsonpath_ng", "jsonata", "jsonschema_rs", "yaml"),
    "random",  # the class Random alone, which is given its seed: a test says so
}
# Modules of the pure part that need one thing more, and why.
PURE_EXCEPTIONS = {
    "cirrus.flow.work": {"threading"},  # the worker delivers in a thread of its own
    "cirrus.asl.pattern": {"threading"},  # what a match may cost is told for each thread
    "cirrus.asl.table": {"threading"},  # two threads may go on from one version of a map
    "cirrus.asl.run": {"time"},  # runs a definition by itself, for tests and trials: an edge of its own
}
# Adapter folders that use another one, and why.
ADAPTERS_MAY: set[tuple[str, str]] = set()
# Packages that import what stands to the right of them, and why.
RIGHTWARD: set[tuple[str, str]] = set()
HEAVY = ("boto3", "botocore", "rasterio", "stactask", "pystac", "obstore", "jsonpath_ng", "numpy", "yaml", "jsonata")
LONGEST = 500
FILES = sorted(SOURCE.rglob("*.py"))
# Files that are shipped to be copied into a project, where they stand on their own.
TEMPLATES = ("demo/project", "scaffold/project")


def _name(file: Path) -> str:
    parts = ("cirrus", *file.relative_to(SOURCE).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _is_template(file: Path) -> bool:
    return file.relative_to(SOURCE).as_posix().startswith(TEMPLATES)


MODULES = {_name(file): file for file in FILES if not _is_template(file)}
TREES = {name: ast.parse(file.read_text(encoding="utf-8")) for name, file in MODULES.items()}


def _imports(name: str) -> Iterator[tuple[str, int]]:
    """Every module that a module imports, anywhere in it, with the line."""
    for node in ast.walk(TREES[name]):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name}: a relative import in line {node.lineno}"
            base = node.module or ""
            for alias in node.names:
                inner = f"{base}.{alias.name}"
                yield (inner if inner in MODULES else base), node.lineno


def _edges() -> Iterator[tuple[str, str, int]]:
    """Every import: the module, what it imports, the line."""
    for name in sorted(MODULES):
        yield from ((name, target, line) for target, line in _imports(name))


def _adapter(module: str) -> str | None:
    parts = module.split(".")
    return parts[2] if parts[:2] == ["cirrus", "adapters"] and len(parts) > 2 else None


def _part(module: str) -> str | None:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else None


def test_every_part_has_a_place_in_the_order() -> None:
    assert {_part(name) for name in MODULES} - {None} <= RANKS.keys()


def test_imports_point_left_only() -> None:
    wrong = []
    for name, target, line in _edges():
        here, there = _part(name), _part(target) if target.split(".")[0] == "cirrus" else None
        if here is None or there is None or here == there or (name, target) in RIGHTWARD:
            continue
        if RANKS[there] >= RANKS[here]:
            wrong.append(f"{name}, line {line}: {here} may not import {there} ({target})")
    assert wrong == []


def test_the_pure_part_imports_nothing_of_the_world() -> None:
    wrong = []
    for name, target, line in _edges():
        may = PURE_MAY | PURE_EXCEPTIONS.get(name, set())
        root = target.split(".")[0]
        if _part(name) in PURE and root != "cirrus" and not {root, target} & may:
            wrong.append(f"{name}, line {line}: {target}")
    assert wrong == []


def test_chance_is_seeded_in_the_pure_part() -> None:
    for name in MODULES:
        for node in ast.walk(TREES[name]):
            if _part(name) in PURE and isinstance(node, ast.ImportFrom) and node.module == "random":
                assert [alias.name for alias in node.names] == ["Random"], name
            if _part(name) in PURE and isinstance(node, ast.Call) and ast.unparse(node.func) == "Random":
                assert node.args, f"{name}, line {node.lineno}: a Random without a seed"


def test_adapters_do_not_know_each_other() -> None:
    wrong = []
    for name, target, line in _edges():
        here, there = _adapter(name), _adapter(target)
        if here and there and here != there and (here, there) not in ADAPTERS_MAY:
            wrong.append(f"{name}, line {line}: {target}")
    assert wrong == []


def test_exceptions_are_still_needed() -> None:
    used = {(name, target) for name, target, _ in _edges()}
    pure = {(name, extra) for name, extras in PURE_EXCEPTIONS.items() for extra in extras}
    assert pure <= {(name, target.split(".")[0]) for name, target in used}
    assert {(_adapter(name), _adapter(target)) for name, target in used} >= ADAPTERS_MAY
    assert used >= RIGHTWARD


def test_nothing_reads_the_environment_at_import() -> None:
    words = ("os.environ", "os.getenv", "environ[", "getenv(", "logging.basicConfig", "load_dotenv")
    for name in MODULES:
        for node in _at_import(TREES[name]):
            text = ast.unparse(node)
            assert not any(word in text for word in words), f"{name}, line {node.lineno}: {text[:100]}"


def _at_import(tree: ast.Module) -> Iterator[ast.stmt | ast.expr]:
    """What runs when a module is imported: everything but the bodies of functions."""
    pending: list[ast.AST] = list(tree.body)
    while pending:
        node = pending.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            pending += [*node.decorator_list, *node.args.defaults, *(one for one in node.args.kw_defaults if one)]
        elif isinstance(node, ast.Lambda):
            continue
        elif isinstance(node, ast.ClassDef | ast.If | ast.Try | ast.With | ast.For | ast.While):
            pending += ast.iter_child_nodes(node)
        elif isinstance(node, ast.stmt | ast.expr):
            yield node


def test_no_module_is_long() -> None:
    lines = {str(file.relative_to(SOURCE)): len(file.read_text(encoding="utf-8").splitlines()) for file in FILES}
    assert {name: number for name, number in lines.items() if number > LONGEST} == {}


def test_the_client_is_imported_when_it_is_asked_for(tmp_path: Path) -> None:
    program = (
        "import sys, cirrus\n"
        "print([name for name in sys.modules if name.startswith('cirrus.')])\n"
        "cirrus.Client\n"
        f"print(sorted(set(sys.modules) & {set(HEAVY)!r} - {{'yaml'}}), 'cirrus.asl' in sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True, cwd=tmp_path
    )
    assert done.stdout.splitlines() == ["[]", "[] False"]


@pytest.mark.parametrize("arguments", [["--help"], ["manage", "--help"], ["version"]], ids=" ".join)
def test_help_imports_nothing_heavy(arguments: list[str], tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "from cirrus.entry.cli.main import main\n"
        f"sys.argv = ['cirrus', *{arguments!r}]\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code, end.code\n"
        f"print('HEAVY', sorted(set(sys.modules) & set({HEAVY!r})), file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True, cwd=tmp_path
    )
    assert done.stdout
    assert done.stderr.splitlines()[-1] == "HEAVY []"
