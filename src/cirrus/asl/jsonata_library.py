"""What every expression finds below its own variables: the functions of JSONata, each charged for what it does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jsonata.jsonata import Jsonata

from cirrus.asl import jsonata_functions as ours
from cirrus.asl.jsonata_dates import to_millis
from cirrus.asl.pattern import meter


class Metered(Jsonata.JFunction):  # type: ignore[misc]  # the interpreter is untyped
    """A function whose work and result are charged, whether an expression or another function calls it."""

    def __init__(self, name: str, act: Callable[[Any, Any], Any], signature: Any, most: int) -> None:
        super().__init__(None, None)
        self.function_name = name
        self.signature = signature
        self.act = act
        self.most = most

    def call(self, given: Any, arguments: Any) -> Any:
        """What the function gives."""
        budget = meter.budget
        budget.take(arguments)
        result = self.act(given, arguments)
        budget.make(result)
        return result

    def get_number_of_args(self) -> int:
        """How many arguments the function takes, for a partial application."""
        return self.most


class Loose:
    """The signature of a function that looks at its arguments itself."""

    def __init__(self, arity: int) -> None:
        self.arity = arity

    def validate(self, arguments: Any, context: Any) -> Any:
        """The arguments as they are."""
        return arguments

    def get_min_number_of_args(self) -> int:
        """How many arguments a function such as $map gives it at most."""
        return self.arity

    def set_function_name(self, name: str) -> None:
        """Nothing here tells the name."""


def native(name: str) -> Metered:
    """A function of the library."""
    found = Jsonata.static_frame.lookup(name)
    return Metered(name, with_brief(found.call) if name in PICTURED else found.call, found.signature, found.nargs)


def with_brief(act: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """A function of a picture, and of a text that follows it, neither of which is long."""

    def call(given: Any, arguments: Any) -> Any:
        for value in arguments if isinstance(arguments, list) else ():
            ours.brief(value)
        return act(given, arguments)

    return call


def own(name: str, function: Callable[..., Any]) -> Metered:
    """A function of ours, with the library's signature where it stands for one of the library's."""

    def act(given: Any, arguments: Any) -> Any:
        return function(*arguments) if isinstance(arguments, list) else function()

    most = function.__code__.co_argcount
    kept = Jsonata.static_frame.lookup(name).signature if name in KEPT else Loose(most)
    return Metered(name, with_brief(act) if name in PICTURED else act, kept, most)


PICTURED = ("fromMillis", "toMillis", "formatNumber", "formatInteger", "parseInteger")
KEPT = ("spread", "replace", "join", "string", "toMillis")
OWN: dict[str, Callable[..., Any]] = {
    "now": ours.now,
    "millis": ours.millis,
    "random": ours.random,
    "uuid": ours.random_uuid,
    "shuffle": ours.shuffle,
    "partition": ours.partition,
    "range": ours.number_range,
    "hash": ours.digest,
    "parse": ours.parse,
    "eval": ours.no_eval,
    "pad": ours.pad,
    "distinct": ours.distinct,
    "spread": ours.spread,
    "replace": ours.replace,
    "join": ours.join,
    "string": ours.string,
    "toMillis": to_millis,
}

LIBRARY = Jsonata.Frame(None)
"""Name → function, as the interpreter looks it up."""

for _name in Jsonata.static_frame.bindings.keys() - OWN.keys():
    LIBRARY.bind(_name, native(_name))
for _name, _function in OWN.items():
    LIBRARY.bind(_name, own(_name, _function))
