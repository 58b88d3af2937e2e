"""The reference lists each built-in task's parameters, all of them and no others."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest
from stactask.exceptions import InvalidInput

from cirrus.tasks import BUILTIN

REFERENCE = Path(__file__).parents[2] / "docs/reference/built-in-tasks.md"


@pytest.mark.parametrize("name", BUILTIN)
def test_parameters_are_documented(name: str) -> None:
    pytest.importorskip("rasterio")
    module, _, cls = BUILTIN[name].partition(":")
    task = getattr(importlib.import_module(module), cls)
    with pytest.raises(InvalidInput) as error:
        task.handler({"features": [], "process": [{"workflow": "w", "tasks": {name: {"?": 1}}}]})
    accepted = re.findall(r"\w+", str(error.value).partition("there are: ")[2])
    section = REFERENCE.read_text().partition(f"\n## {name}\n")[2].partition("\n## ")[0]
    documented = re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)
    assert sorted(documented) == sorted(accepted)
    for parameter in documented:
        assert f"`{parameter}`" in task.__doc__
