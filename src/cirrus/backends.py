"""Backends: which class serves a home or a kind of target, named here and imported only when it is used."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from cirrus.errors import ConfigError

_CLASSES = {
    ("database", "sqlite"): "cirrus.adapters.sqlite.database:Database",
    ("state_db", "sqlite"): "cirrus.adapters.sqlite.state_db:SqliteStateDb",
    ("queue", "sqlite"): "cirrus.adapters.sqlite.queue:SqliteQueue",
    ("payloads", "sqlite"): "cirrus.adapters.sqlite.payloads:SqlitePayloads",
    ("payloads", "objects"): "cirrus.adapters.objects.payloads:ObjectPayloads",
    ("journal", "sqlite"): "cirrus.adapters.sqlite.journal:SqliteJournal",
    ("callbacks", "sqlite"): "cirrus.adapters.sqlite.callbacks:SqliteCallbacks",
    ("campaigns", "sqlite"): "cirrus.adapters.sqlite.campaigns:SqliteCampaigns",
    ("outbox", "sqlite"): "cirrus.adapters.sqlite.outbox:SqliteOutbox",
    ("retention", "sqlite"): "cirrus.adapters.sqlite.retention:SqliteRetention",
    ("upkeep", "sqlite"): "cirrus.adapters.sqlite.upkeep:SqliteUpkeep",
    ("objects", "any"): "cirrus.adapters.objects.store:ObjectStores",
    ("parameters", "local"): "cirrus.adapters.local.task_parameters:TaskParameters",
    ("bell", "local"): "cirrus.adapters.local.doorbell:Doorbell",
    ("listener", "local"): "cirrus.adapters.local.doorbell:Listener",
    ("compute", "local"): "cirrus.adapters.local.pool:LocalPool",
    ("secrets", "variables"): "cirrus.adapters.secrets.environment:variables",
    ("secrets", "env"): "cirrus.adapters.secrets.environment:EnvironmentSecrets",
    ("secrets", "file"): "cirrus.adapters.secrets.file:FileSecrets",
    ("secrets", "keyring"): "cirrus.adapters.secrets.keyring:KeyringSecrets",
    ("secrets", "secretsmanager"): "cirrus.adapters.secrets.secrets_manager:SecretsManagerSecrets",
    ("trial", "objects"): "cirrus.adapters.objects.trial:BucketTrial",
    ("clients", "aws"): "cirrus.adapters.aws.clients:Clients",
    ("tables", "aws"): "cirrus.adapters.aws.tables:Tables",
    ("state_db", "aws"): "cirrus.adapters.aws.state_db:DynamoStateDb",
    ("outbox", "aws"): "cirrus.adapters.aws.outbox:DynamoOutbox",
    ("payloads", "aws"): "cirrus.adapters.aws.payloads:S3Payloads",
    ("payloads", "aws-both"): "cirrus.adapters.aws.both_layouts:BothLayouts",
    ("migration", "aws"): "cirrus.adapters.aws.migration:Migration",
    ("queue", "aws"): "cirrus.adapters.aws.queue:SqsQueue",
    ("queue", "aws-event"): "cirrus.adapters.aws.event_queue:EventQueue",
    ("engine", "aws"): "cirrus.adapters.aws.engine:StepFunctions",
    ("workflows", "aws"): "cirrus.adapters.aws.engine:DeployedWorkflows",
    ("objects", "aws"): "cirrus.adapters.aws.objects:S3Objects",
    ("journal", "aws"): "cirrus.adapters.aws.logs:CloudWatchLogs",
    ("callbacks", "aws"): "cirrus.adapters.aws.callbacks:StepFunctionsCallbacks",
    ("retention", "aws"): "cirrus.adapters.aws.lifecycle:LifecycleRules",
    ("campaigns", "aws"): "cirrus.adapters.aws.campaigns:DynamoCampaigns",
    ("kept_events", "aws"): "cirrus.adapters.aws.kept_events:KeptEvents",
    ("sent", "aws"): "cirrus.adapters.aws.sent:Sent",
    ("attention", "aws"): "cirrus.adapters.aws.attention:Attention",
    ("uses", "aws"): "cirrus.adapters.aws.uses:ItemUses",
    ("slots", "aws"): "cirrus.adapters.aws.slots:Slots",
    ("turns", "aws"): "cirrus.adapters.aws.turns:Turns",
    ("pauses", "aws"): "cirrus.adapters.aws.held:Held",
    ("unit", "aws"): "cirrus.adapters.aws.single_calls:SingleCalls",
    ("vocabulary", "said"): "cirrus.adapters.aws.attributes:Said",
    ("vocabulary", "aws"): "cirrus.adapters.aws.vocabulary:TableVocabulary",
    ("parameters", "stated"): "cirrus.adapters.aws.declared:StatedParameters",
    ("workflows", "stated"): "cirrus.adapters.aws.declared:StatedWorkflows",
    ("parameters", "aws"): "cirrus.adapters.aws.parameters:ParameterStore",
    ("functions", "aws"): "cirrus.adapters.aws.functions:LambdaFunctions",
    ("metrics", "aws"): "cirrus.adapters.aws.metrics:CloudWatchMetrics",
    ("target", "aws-counted"): "cirrus.adapters.aws.metrics:CountedTarget",
    ("target", "aws-topic"): "cirrus.adapters.aws.topics:TopicTarget",
    ("target", "aws-queue"): "cirrus.adapters.aws.topics:QueueTarget",
    ("target", "catalog"): "cirrus.adapters.local.catalog:CatalogTarget",
    ("target", "file"): "cirrus.adapters.local.file_target:FileTarget",
    ("target", "messages"): "cirrus.adapters.local.message_target:MessageTarget",
    ("target", "webhook"): "cirrus.adapters.local.webhook_target:WebhookTarget",
}


def backend(port: str, scheme: str) -> Any:
    """The class that serves a port for a URL scheme; ConfigError if there is none."""
    named = _CLASSES.get((port, scheme))
    if named is None:
        raise ConfigError("cirrus.toml", [f"there is no backend {scheme!r} for {port}"])
    module, _, name = named.partition(":")
    return getattr(import_module(module), name)
