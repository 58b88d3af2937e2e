"""What ours does otherwise than the original, on purpose: where, and why. Nothing else may differ."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

_ABSENT = "<absent>"


@dataclass(frozen=True)
class Difference:
    """One value that is not the same."""

    scenario: str
    path: str
    theirs: Any
    ours: Any

    def __str__(self) -> str:
        return f"{self.scenario}: {self.path}: {self.theirs!r} → {self.ours!r}"


@dataclass(frozen=True)
class Expected:
    """Differences of some scenarios at some paths (patterns of the shell), and the key of their reason."""

    reason: str
    scenario: str
    path: str

    def covers(self, one: Difference) -> bool:
        """Whether it is one of these."""
        return fnmatchcase(one.scenario, self.scenario) and fnmatchcase(one.path, self.path)


def differences(scenario: str, theirs: Any, ours: Any, path: str = "") -> Iterator[Difference]:
    """Every value in which two differ, by its path; whole branches where only one has them."""
    if isinstance(theirs, dict) and isinstance(ours, dict):
        for name in sorted({*theirs, *ours}):
            here = f"{path} > {name}" if path else name
            yield from differences(scenario, theirs.get(name, _ABSENT), ours.get(name, _ABSENT), here)
    elif isinstance(theirs, list) and isinstance(ours, list) and len(theirs) == len(ours):
        for n, (one, other) in enumerate(zip(theirs, ours, strict=True)):
            yield from differences(scenario, one, other, f"{path} > {n}")
    elif theirs != ours:
        yield Difference(scenario, path, theirs, ours)


# Why ours does otherwise: a key, what differs, and the reason. The table of docs/reference/beside-cirrus-geo.md.
REASONS: dict[str, tuple[str, str]] = {
    "own attributes": (
        "records have attributes more",
        "`execution` and `runs` fence writes without reading, tokens and `claimed_for` tell whose claim was granted, "
        "`layout` what needs no migration; kinds of failures and collections of outputs are queried",
    ),
    "outputs": (
        "records name the URLs of their output Items",
        "the original reads `outputs` where a record has them, and 2.0.0 writes none",
    ),
    "claims name their execution": (
        "`CLAIMED_PROCESSING` and `FAILED` of what could not be started have `execution` and `input_payload_url`",
        "which execution it will be is known before it starts",
    ),
    "skips name the last execution": (
        "`ALREADY_…` has the last execution and its payload",
        "the original names the payload of an execution that will never be",
    ),
    "duplicates": (
        "`DUPLICATE_ID_ENCOUNTERED` has no `input_payload_url`",
        "the payload that was dropped is kept nowhere; the original names the other one's",
    ),
    "ends say why": ("an abort has an error", "whoever looks at it later sees that, and by what words, it was stopped"),
    "words of errors": (
        "messages of errors are our own",
        "they say what was wrong and what to do; the names `TimedOutError` and `InvalidInput` are the same",
    ),
    "timeouts": (
        "`States.Timeout` is told as `TimedOutError`",
        "an execution, a state or a task that takes too long is one kind of failure",
    ),
    "bare InvalidInput": ("`InvalidInput` ends `INVALID`", "Lambda reports the name without its module"),
    "late ends": (
        "an end of an earlier execution, or a second one, changes and sends nothing",
        "the original writes it over the state of the execution that runs, and publishes once more",
    ),
    "null datetime": ("an Item whose `datetime` is null is published", "STAC allows it where there is a range"),
    "three dimensions": (
        "a bbox of six numbers has its upper corner at the fourth and fifth",
        "the original tells the lowest height as the upper longitude",
    ),
    "empty chains": (
        "an output or a filter that leaves no Items ends the chain with `CHAIN_ENDED`",
        "the original queues a payload that has no Items and no id, which is refused",
    ),
    "bad messages": (
        "what is no payload is kept below `tmp/invalid` as it was sent, and in the dead letter queue, at once",
        "the original lets the whole batch fail, until SQS has given the message five times",
    ),
    "large payloads": (
        "a payload that is too large to pass on is not put into `tmp/oversized` a second time",
        "the URL of the kept input does as well, and does not expire",
    ),
    "old and new names": (
        "the API's records have `payload` beside `input_payload_url`",
        "that is its name in 1.x, and dashboards of either find theirs",
    ),
    "pages": (
        "a page of the API has `nextkey` where there are more; an id is taken for one as well",
        "2.0.0 leaves it out, so that nobody can ask for the next page",
    ),
    "order of states": (
        "`sort_index=state_updated` puts `SUCCEEDED` where `COMPLETED` stands",
        "tables that hold both words are in one order",
    ),
    "since with a space": ("`since=2 d` is accepted", "the original fails"),
    "statuses": (
        "what the API does not have is 404 with a JSON object, and a record that is not there too",
        "the original answers 400 with a text, or fails",
    ),
    "description": ("the API's description is the deployment's name", "it needs no catalog in the bucket of outputs"),
    "one command line": (
        "commands print the same in every home",
        "names, arguments and options are the original's; what is printed is data of one shape, whatever runs it",
    ),
    "ids": ("payloads that are queued by a command have their id", "it was derived to check and to tell it"),
}
EXPECTED = (
    Expected("own attributes", "*", "?? rows > * > execution"),
    Expected("own attributes", "*", "?? rows > * > runs"),
    Expected("own attributes", "*", "?? rows > * > ?????_token"),
    Expected("own attributes", "*", "?? rows > * > layout"),
    Expected("own attributes", "*", "?? rows > * > claimed_for"),
    Expected("own attributes", "*", "?? rows > * > output_collections"),
    Expected("own attributes", "*", "?? rows > * > fingerprint"),
    Expected("own attributes", "*", "?? rows > * > failure"),
    Expected("outputs", "*", "?? rows > * > outputs"),
    Expected("outputs", "asked_by_a_dashboard", "?? GET /scenes/workflow-w/* > outputs"),
    Expected("outputs", "asked_by_an_operator", "?? $ * > outputs"),
    Expected("claims name their execution", "*", "?? events > CLAIMED_PROCESSING * > body > execution"),
    Expected("claims name their execution", "*", "?? events > CLAIMED_PROCESSING * > body > input_payload_url"),
    Expected("claims name their execution", "*", "?? events > FAILED * > body > execution"),
    Expected("skips name the last execution", "*", "?? events > ALREADY_* > body > execution"),
    Expected("skips name the last execution", "*", "?? events > ALREADY_* > body > input_payload_url"),
    Expected("duplicates", "twice_in_a_batch", "?? events > DUPLICATE_ID_ENCOUNTERED * > body > input_payload_url"),
    Expected("ends say why", "aborted", "?? rows > * > last_error"),
    Expected("ends say why", "aborted", "?? events > ABORTED * > error"),
    Expected("words of errors", "failed_without_a_cause", "* > *error"),
    Expected("words of errors", "timed_out", "* > *error"),
    Expected("words of errors", "failed_to_start", "* > *error"),
    Expected("words of errors", "chained_in_branches_with_filters", "?? rows > * > last_error"),
    Expected("words of errors", "chained_in_branches_with_filters", "?? events > FAILED * > error"),
    Expected("words of errors", "no_payload", "?? events > NOT_A_PROCESS_PAYLOAD * > error"),
    Expected("words of errors", "unreadable", "?? events > RECORD_EXTRACT_FAILED * > error"),
    Expected("timeouts", "failed_with_a_text", "* > *error"),
    Expected("bare InvalidInput", "invalid_by_its_bare_name", "?? rows > * > state_updated"),
    Expected("bare InvalidInput", "invalid_by_its_bare_name", "?? events > *"),
    Expected("late ends", "told_late_of_an_earlier_run", "?? rows > * > state_updated"),
    Expected("late ends", "told_late_of_an_earlier_run", "?? events > SUCCEEDED *"),
    Expected("late ends", "told_late_of_an_earlier_run", "?? items > a"),
    Expected("late ends", "told_twice_of_an_end", "?? events > SUCCEEDED * (2)"),
    Expected("late ends", "told_twice_of_an_end", "?? items > a (2)"),
    Expected("null datetime", "published_without_a_datetime", "?? update_state"),
    Expected("null datetime", "published_without_a_datetime", "?? items > a"),
    Expected("three dimensions", "published_in_three_dimensions", "?? items > a > attributes > bbox.ur_*"),
    Expected("empty chains", "chained_in_branches_with_filters", "?? queue"),
    Expected("empty chains", "chained_in_branches_with_filters", "?? events > CHAIN_ENDED *"),
    Expected("bad messages", "no_payload", "?? objects > <root>/tmp/invalid/<uuid>.json*"),
    Expected("bad messages", "unreadable", "?? objects > <root>/tmp/invalid/<uuid>.json*"),
    Expected("bad messages", "no_payload", "?? queue*"),
    Expected("bad messages", "unreadable", "?? queue*"),
    Expected("large payloads", "too_large_to_pass_on", "?? objects > <root>/tmp/oversized/<uuid>.json"),
    Expected("large payloads", "too_large_to_pass_on", "?? executions > 0 > 1 > url"),
    Expected("old and new names", "asked_by_a_dashboard", "?? GET /scenes/workflow-w/* > payload"),
    Expected("pages", "asked_by_a_dashboard", "?? GET /scenes/workflow-w/items*limit=?* > nextkey"),
    Expected("order of states", "asked_by_a_dashboard", "?? GET *sort_index=state_updated > body > items*"),
    Expected("since with a space", "asked_by_a_dashboard", "?? GET *since=2 d"),
    Expected("statuses", "asked_by_a_dashboard", "?? GET /scenes/workflow-w/none"),
    Expected("statuses", "asked_by_a_dashboard", "?? GET /elsewhere*"),
    Expected("statuses", "asked_by_a_dashboard", "?? GET /stats*"),
    Expected("description", "asked_by_a_dashboard", "?? GET / > body > description"),
    Expected("one command line", "asked_by_an_operator", "?? $ list-deployments > out*"),
    Expected("one command line", "asked_by_an_operator", "?? $ mgmt prod show > out*"),
    Expected("one command line", "asked_by_an_operator", "?? $ manage prod get-state * > out*"),
    Expected("one command line", "asked_by_an_operator", "?? $ manage prod get-execution --* > out*"),
    Expected("one command line", "asked_by_an_operator", "?? $ manage prod get-workflow-definition w > out*"),
    Expected("one command line", "asked_by_an_operator", "?? $ manage prod query * > out*"),
    Expected("one command line", "asked_by_an_operator", "?? $ manage prod process > out*"),
    Expected("one command line", "asked_by_an_operator", "?? $ manage prod list-lambdas > out*"),
    Expected("one command line", "asked_by_an_operator", "?? $ payload validate > out*"),
    Expected("ids", "asked_by_an_operator", "?? queue > * > id"),
)


def reason(one: Difference) -> str | None:
    """The key of the reason for a difference, None if there is none."""
    return next((entry.reason for entry in EXPECTED if entry.covers(one)), None)


def table() -> str:
    """The reasons as a table of the documentation."""
    rows = [f"| {what} | {why} |" for what, why in REASONS.values()]
    return "\n".join(["| ours | why |", "| --- | --- |", *rows])
