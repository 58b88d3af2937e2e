"""How long `cirrus --help` takes, beside `python -c pass`."""

from __future__ import annotations

import subprocess
import sys

from benchmarks.figures import arguments, best, environment, show

RUNS = 15


def main() -> None:
    """Print the shortest of 15 runs each."""
    given = arguments(__doc__)

    def start(*words: str) -> float:
        def once() -> None:
            subprocess.run([sys.executable, *words], env=environment(), stdout=subprocess.DEVNULL, check=True)

        return best(RUNS, once) * 1000

    nothing = start("-c", "pass")
    helped = start("-m", "cirrus.entry.cli.main", "--help")
    managed = start("-m", "cirrus.entry.cli.main", "manage", "--help")
    figures = {
        "python_ms": nothing,
        "help_ms": helped,
        "manage_help_ms": managed,
        "help_ratio": helped / nothing,
    }
    show(figures, given.json)


if __name__ == "__main__":
    main()
