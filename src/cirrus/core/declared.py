"""What tasks declare of their parameters, and what is wrong with those of a payload."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

_MOST = 5


class Declared:
    """By task: `key` under which its parameters stand and their JSON `schema`, or the `error` that kept it unknown."""

    def __init__(self, tasks: Mapping[str, Mapping[str, Any]]) -> None:
        self.tasks = tasks
        self._validators: dict[str, Any] = {}

    def of(self, names: Iterable[str]) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """Each of these tasks that declares something, or could not be asked."""
        return ((name, self.tasks[name]) for name in names if name in self.tasks)

    def check(self, names: Iterable[str], given: Mapping[str, Any]) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """What is wrong with the parameters of these tasks, `tasks` of a process definition; what was not checked."""
        problems: list[str] = []
        warnings: list[str] = []
        for name, told in self.of(names):
            if "error" in told:
                warnings.append(f"the parameters of task {name!r} were not checked: {told['error']}")
            else:
                problems += self._problems(name, told, given.get(told["key"], {}))
        return tuple(problems), tuple(warnings)

    def schema(self, names: Iterable[str]) -> dict[str, Any]:
        """The JSON schema of `tasks` for these: the union of what they declare."""
        found = {told["key"]: told["schema"] for _, told in self.of(names) if "schema" in told}
        required = sorted(key for key, schema in found.items() if schema.get("required"))
        return {"type": "object", "properties": found, **({"required": required} if required else {})}

    def _problems(self, name: str, told: Mapping[str, Any], given: Any) -> Iterator[str]:
        key, schema = told["key"], told["schema"]
        if not isinstance(given, dict):
            return  # the payload's own check says so
        known = schema.get("properties", {})
        found = list(self._validator(name, schema).iter_errors(given))
        for error in found[:_MOST]:
            yield f"tasks.{key}{_place(error, given, known)}"
        if len(found) > _MOST:
            yield f"tasks.{key}: … and {len(found) - _MOST} more"

    def _validator(self, name: str, schema: Any) -> Any:
        if name not in self._validators:
            import jsonschema_rs

            self._validators[name] = jsonschema_rs.validator_for(schema)
        return self._validators[name]


def _place(error: Any, given: Mapping[str, Any], known: Mapping[str, Any]) -> str:
    """Where an error is, what is wrong, and what was expected."""
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.instance_path)
    kind = type(error.kind).__name__.rpartition("_")[2]
    if kind == "AdditionalProperties" and not path:
        extra = sorted(given.keys() - known.keys())
        return "; ".join(f".{name}: is unknown{_hint(name, known)}" for name in extra)
    if kind == "Required":
        return f"{path}: {error.message}; it is missing"
    first = known.get(error.instance_path[0], {}) if error.instance_path else {}
    about = f" ({first['description']})" if isinstance(first, dict) and first.get("description") else ""
    return f"{path}: {error.message}{about}"


def _hint(name: str, known: Mapping[str, Any]) -> str:
    near = difflib.get_close_matches(name, known, 1)
    if near:
        return f"; did you mean {near[0]!r}?"
    return f"; known are {', '.join(sorted(known))}" if known else "; the task takes no parameters"
