"""Peers: each a script under `peers/`, run in an environment of its own that is made when it is first needed."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import venv
from dataclasses import dataclass
from pathlib import Path

PLACE = Path(__file__).parent / "peers"
CACHE = Path(__file__).parents[1] / ".cache" / "peers"
PATIENCE = 600


@dataclass(frozen=True, slots=True)
class Peer:
    """What to install for a peer, and of how many payloads it gets one."""

    packages: tuple[str, ...]
    share: int


PEERS = {
    "huey": Peer(("huey>=3.5,<4",), 5),
    "dbos": Peer(("dbos>=3.4,<4", "pysqlite3-binary"), 20),
}


def measure_peer(name: str, count: int) -> float | None:
    """Payloads a second of a peer; None, with the reason on stderr, where it cannot be measured."""
    try:
        python = _environment(name)
        with tempfile.TemporaryDirectory() as folder:
            told = _run([str(python), str(PLACE / f"{name}_peer.py"), str(count), folder])
        return float(json.loads(told.splitlines()[-1])["payloads_s"])
    except (OSError, subprocess.SubprocessError, ValueError, LookupError) as error:
        said = getattr(error, "stderr", None) or error
        print(f"{name} could not be measured: {str(said)[-1000:]}", file=sys.stderr)
        return None


def _environment(name: str) -> Path:
    folder = CACHE / name
    python, ready = folder / "bin" / "python", folder / "installed"
    wanted = " ".join(PEERS[name].packages)
    if not ready.is_file() or ready.read_text() != wanted:
        venv.create(folder, clear=True, with_pip=True)
        _run([str(python), "-m", "pip", "install", "--quiet", *PEERS[name].packages])
        ready.write_text(wanted)
    return python


def _run(words: list[str]) -> str:
    return subprocess.run(words, capture_output=True, text=True, timeout=PATIENCE, check=True).stdout


if __name__ == "__main__":
    print(measure_peer(sys.argv[1], int(sys.argv[2])))
