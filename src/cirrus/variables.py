"""The variables of a deployment on AWS: one table of what its functions and parameters may say."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from cirrus.core.instant import SECOND
from cirrus.core.state import State
from cirrus.core.throttle import Throttle, read_limits
from cirrus.errors import ConfigError

ON = "on"


@dataclass(frozen=True, slots=True)
class Variable:
    """One variable: the field that it fills, whether a deployment cannot do without it, and what it says."""

    name: str
    field: str
    help: str
    needed: bool = False


TABLE = (
    Variable("CIRRUS_STATE_DB", "state_db", "the DynamoDB table of records", needed=True),
    Variable("CIRRUS_PAYLOAD_BUCKET", "payload_bucket", "the bucket of payloads", needed=True),
    Variable("CIRRUS_BASE_WORKFLOW_ARN", "base_workflow_arn", "ARNs of state machines but for the name", needed=True),
    Variable("CIRRUS_PROCESS_QUEUE_URL", "process_queue_url", "the queue of payloads", needed=True),
    Variable("CIRRUS_PREFIX", "prefix", "what names of the deployment's resources begin with"),
    Variable("CIRRUS_PAYLOAD_ROOT_PREFIX", "payload_root", "where payloads stand in their bucket"),
    Variable("CIRRUS_BULK_QUEUE_URL", "bulk_queue_url", "the queue of payloads of low priority"),
    Variable("CIRRUS_DEAD_QUEUE_URL", "dead_queue_url", "the dead letter queue of payloads"),
    Variable("CIRRUS_OUTBOX_TABLE", "outbox_table", "the DynamoDB table of what is to be sent"),
    Variable("CIRRUS_DATA_BUCKET", "data_bucket", "the bucket that outputs go to"),
    Variable("CIRRUS_PUBLISH_TOPIC_ARN", "publish_topic_arn", "the topic of output Items"),
    Variable("CIRRUS_WORKFLOW_EVENT_TOPIC_ARN", "event_topic_arn", "the topic of workflow events"),
    Variable("CIRRUS_WORKFLOW_LOG_GROUP", "log_group", "the log group of workflow events"),
    Variable("CIRRUS_WORKFLOW_METRIC_NAMESPACE", "metric_namespace", "where workflow metrics are counted"),
    Variable("CIRRUS_CLI_IAM_ARN", "cli_role", "the role that the command line assumes"),
    Variable("CIRRUS_VOCABULARY", "vocabulary", "the word for a good end, COMPLETED or SUCCEEDED; that of the table"),
    Variable("CIRRUS_CLAIM_LEASE", "claim_lease", "how many seconds a claim that was not started stays untouched"),
    Variable("CIRRUS_LINEAGE", "lineage", "'on' keeps which executions were given and made which Items"),
    Variable("CIRRUS_KEEP_EVENTS", "keep_events", "'on' keeps events, a number does for so many seconds"),
    Variable(
        "CIRRUS_KEEP_DELIVERIES", "keep_deliveries", "'on' keeps what was sent, a number does for so many seconds"
    ),
    Variable("CIRRUS_ATTENTION_INDEX", "attention_index", "'on' fills the index `attention` of the table of records"),
    Variable("CIRRUS_RECORD_AGES", "record_ages", "how many seconds records are kept, by end state: FAILED=7776000,…"),
    Variable("CIRRUS_LIMITS", "limits", 'limits of workflows and collections: {"workflows": {"NAME": [20, "5/s"]}, …}'),
    Variable("CIRRUS_LOG_LEVEL", "log_level", "how much functions log"),
)


@dataclass(frozen=True, slots=True)
class Variables:
    """Where a deployment on AWS has its parts."""

    state_db: str
    payload_bucket: str
    base_workflow_arn: str
    process_queue_url: str
    prefix: str = ""
    payload_root: str = "cirrus"
    bulk_queue_url: str | None = None
    dead_queue_url: str | None = None
    outbox_table: str | None = None
    data_bucket: str | None = None
    publish_topic_arn: str | None = None
    event_topic_arn: str | None = None
    log_group: str | None = None
    metric_namespace: str | None = None
    cli_role: str | None = None
    vocabulary: str | None = None
    claim_lease: str = "120"
    lineage: str | None = None
    attention_index: str | None = None
    keep_events: str | None = None
    keep_deliveries: str | None = None
    record_ages: str | None = None
    limits: str | None = None
    log_level: str = "INFO"

    @property
    def ages(self) -> dict[State, int]:
        """For how long records are kept after their end, in microseconds by end state; ValueError if it is none."""
        pairs = [one.partition("=") for one in (self.record_ages or "").split(",") if one]
        return {State.parse(state): int(age) * SECOND for state, _, age in pairs}

    @property
    def event_age(self) -> int | None:
        """For how many microseconds events are kept, where they are; None for ever."""
        return None if self.keep_events in {None, ON} else int(self.keep_events or 0) * SECOND

    @property
    def delivery_age(self) -> int | None:
        """For how many microseconds what was sent is kept, where it is; None for ever."""
        return None if self.keep_deliveries in {None, ON} else int(self.keep_deliveries or 0) * SECOND

    @property
    def throttle(self) -> Throttle:
        """The limits on what begins, of workflows and collections; ValueError if they are none."""
        return read_limits(self.limits or "")

    @property
    def lease(self) -> int:
        """The lease of a claim in microseconds."""
        return int(self.claim_lease) * SECOND


def read_variables(given: Mapping[str, str], source: str) -> Variables:
    """The variables in an environment or a parameter store; ConfigError names each that is missing or wrong."""
    found = {one.field: given[one.name] for one in TABLE if given.get(one.name)}
    problems = [f"{one.name}: is missing ({one.help})" for one in TABLE if one.needed and one.field not in found]
    if found.get("vocabulary", "COMPLETED") not in {"COMPLETED", "SUCCEEDED"}:
        problems.append(f"CIRRUS_VOCABULARY: COMPLETED or SUCCEEDED is expected, not {found['vocabulary']!r}")
    lease = found.get("claim_lease", "120")
    if not lease.isdigit() or int(lease) < 1:
        problems.append(f"CIRRUS_CLAIM_LEASE: a whole number of seconds from 1 up is expected, not {lease!r}")
    for name in ("keep_events", "keep_deliveries"):
        kept = found.get(name, ON)
        if kept != ON and not (kept.isdigit() and int(kept) > 0):
            problems.append(f"CIRRUS_{name.upper()}: 'on' or a number of seconds is expected, not {kept!r}")
    arn = found.get("base_workflow_arn", "arn:a:states:r:0:stateMachine:")
    if ":stateMachine:" not in arn:
        problems.append(f"CIRRUS_BASE_WORKFLOW_ARN: an ARN with ':stateMachine:' is expected, not {arn!r}")
    variables = Variables(**({**_NEEDED, **found}))
    try:
        _ = variables.ages
    except ValueError:
        problems.append(f"CIRRUS_RECORD_AGES: FAILED=7776000,… is expected, not {variables.record_ages!r}")
    try:
        _ = variables.throttle
    except ValueError as error:
        problems.append(f"CIRRUS_LIMITS: {error}")
    if problems:
        raise ConfigError(source, problems)
    return variables


_NEEDED = {one.field: "" for one in TABLE if one.needed}


def environment() -> dict[str, str]:
    """The environment of a function, read once at the edge."""
    return dict(os.environ)
