"""Record what the original does: `python -m tests.aws.original.record`, which needs the stand-ins and PyPI.

cirrus-geo 2.0.0 is installed in an environment of its own, its functions are called and its commands run on the same
stand-ins and through the same scenarios as ours are in the tests, and what it leaves, without times and names, is
written to `recorded.json`. It asks for Python 3.12: `--python` says which; with an older one the few places of newer
syntax are written in the older way.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from cirrus.adapters.aws.clients import Clients
from tests.aws import standins
from tests.aws.original.scenarios import SCENARIOS, WAIT
from tests.aws.original.sides import Original, Ours, Side, ran
from tests.aws.original.stage import Stage
from tests.aws.scene import make_scene

VERSION = "2.0.0"
RECORDED = Path(__file__).with_name("recorded.json")
COMMANDS = Path(__file__).with_name("commands.py")
NEEDS = ("aiobotocore[boto3]", "boto3-utils", "jsonpath-ng", "python-json-logger", "stactask>=0.7", "backoff")
NEEDS += ("click-option-group", "click>=8.2.0")


def main() -> None:
    """Install it, run every scenario, write down what was seen."""
    given = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    given.add_argument("--python", default=sys.executable, help="the Python that the original runs on")
    given.add_argument("--environment", type=Path, help="where the original is, or is to be, installed")
    given.add_argument("--ours", action="store_true", help="print what ours does instead")
    given.add_argument("names", nargs="*", help="scenarios, all by default")
    asked = given.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if asked.ours:
            seen = recorded(Ours(), Path(folder), asked.names)
        else:
            python = installed(asked.environment or Path(folder) / "original", asked.python)
            side = Original(python)
            seen = recorded(side, Path(folder), asked.names)
            side.close()
            commands = json.loads(ran([str(python), str(COMMANDS)], "", Path(folder)).out)
    if asked.ours or asked.names:
        sys.stdout.write(json.dumps(seen, indent=1, sort_keys=True) + "\n")
    else:
        told: dict[str, Any] = {"original": f"cirrus-geo {VERSION}", "made by": "python -m tests.aws.original.record"}
        told |= {"commands": commands, "scenarios": seen}
        RECORDED.write_text(json.dumps(told, indent=1, sort_keys=True) + "\n")


def installed(environment: Path, python: str) -> Path:
    """The Python of an environment that has the original."""
    inside = environment / "bin/python"
    if not inside.exists():
        subprocess.run([python, "-m", "venv", str(environment)], check=True)
    package = environment / "installed"
    if not package.exists():
        pip = [str(inside), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, *NEEDS], check=True)
        subprocess.run([*pip, "--no-deps", "--ignore-requires-python", f"cirrus-geo=={VERSION}"], check=True)
        older(list(environment.glob("lib/*/site-packages/cirrus/**/*.py")))
        package.touch()
    return inside


def older(files: Iterable[Path]) -> None:
    """Write parameters of types and texts over several lines in a way that Python 3.11 reads too."""
    for file in files:
        text = file.read_text()
        written = re.sub(r"^class (\w+)\[(\w+)\]", r"\2 = object\n\n\nclass \1", text, flags=re.MULTILINE)
        written = re.sub(r"BatchHandler\[\w+\]", "BatchHandler", written)
        written = re.sub(r"(f\"[^\"\n]*\{)\n\s*(.*?)\n\s*(\}\")", r"\1\2\3", written)
        if written != text:
            file.write_text(written)


def recorded(side: Side, folder: Path, names: Iterable[str] = ()) -> dict[str, object]:
    """What is seen in each scenario, on stand-ins that are started for it."""
    with ExitStack() as stack:
        urls: dict[str, str] = {}
        for name in ("dynamodb", "seaweed", "ministack"):
            (folder / name).mkdir()
            urls[name] = stack.enter_context(getattr(standins, name)(folder / name))
        os.environ |= standins.CREDENTIALS | {"AWS_ENDPOINT_URL": urls["ministack"], "AWS_REGION": standins.REGION}
        os.environ |= {"AWS_ENDPOINT_URL_DYNAMODB": urls["dynamodb"], "AWS_ENDPOINT_URL_S3": urls["seaweed"]}
        return {name: seen(name, side, folder) for name in (names or SCENARIOS)}


def seen(name: str, side: Side, folder: Path) -> dict[str, object]:
    """What is seen in one scenario."""
    scene = make_scene(Clients(), WAIT)
    work = folder / name
    work.mkdir()
    stage = Stage(scene, side, work)
    SCENARIOS[name](stage)
    return stage.result()


if __name__ == "__main__":
    main()
