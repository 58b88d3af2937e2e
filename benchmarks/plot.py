"""Draw `docs/images/throughput.png` and `docs/images/records.png` from what the benchmarks printed last as JSON.

`python -m benchmarks.plot THROUGHPUT.json RECORDS.json`, files whose last line is that of `--json`. Needs the
extra `bench`.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[1] / "docs" / "images"
BARS = (
    ("limit_payloads_s", "SQLite alone, 100 changes a commit"),
    ("inline_payloads_s", "Cirrus, inline steps"),
    ("payloads_s", "Cirrus, worker processes"),
    ("catalog_payloads_s", "Cirrus, with the static catalog"),
    ("huey_payloads_s", "Huey, SQLite with fsync"),
    ("dbos_payloads_s", "DBOS, SQLite"),
)
OURS, OTHERS = "#1f6f8b", "#b8bcc2"


def throughput(figures: dict[str, Any], file: Path) -> None:
    """Payloads a second as bars, those that could not be measured left out."""
    from matplotlib import pyplot

    shown = [(label, figures[name], name) for name, label in BARS if figures.get(name) is not None][::-1]
    figure, axes = pyplot.subplots(figsize=(8, 3.2), layout="constrained")
    colours = [OTHERS if name.startswith(("limit", "huey", "dbos")) else OURS for _, _, name in shown]
    bars = axes.barh([label for label, _, _ in shown], [value for _, value, _ in shown], color=colours)
    axes.bar_label(bars, fmt="%.0f", padding=4)
    axes.set_xlabel("payloads a second, three steps each, 6 KB, every change durable")
    axes.spines[["top", "right"]].set_visible(False)
    axes.margins(x=0.12)
    figure.savefig(file, dpi=120)


def records(figures: dict[str, Any], file: Path) -> None:
    """CPU and time for a payload against the number of records."""
    from matplotlib import pyplot

    sizes = [one["records"] for one in figures["sizes"]]
    figure, axes = pyplot.subplots(figsize=(8, 3.2), layout="constrained")
    for name, label, colour in (("ms_per_payload", "time", OURS), ("cpu_ms_per_payload", "CPU", OTHERS)):
        axes.plot(sizes, [one[name] for one in figures["sizes"]], marker="o", color=colour, label=label)
    axes.set_xscale("log")
    axes.margins(y=0.15)
    axes.set_ylim(bottom=0)
    axes.set_xlabel("records in the database")
    axes.set_ylabel("ms for a payload")
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(file, dpi=120)


def main() -> None:
    """Draw both."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, draw in zip(sys.argv[1:3], (throughput, records), strict=True):
        draw(json.loads(Path(name).read_text().splitlines()[-1]), FOLDER / f"{draw.__name__}.png")


if __name__ == "__main__":
    main()
