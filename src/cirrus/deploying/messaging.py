"""Queues with their dead letter queues, topics, and the rules that feed them."""

from __future__ import annotations

from typing import Any

from troposphere import GetAtt, Ref, Template, events, sns, sqs

from cirrus.deploying.places import Places
from cirrus.deploying.storage import tls_only

ATTEMPTS = 5
KEPT_SECONDS = 14 * 24 * 3600
PROCESS_SECONDS = 120
UPDATE_SECONDS = 120
_PATIENCE = 6  # times what a function may take, as Lambda asks of a queue
ENDS = ("SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED")


def add_queues(template: Template) -> None:
    """The queues of payloads and of ends, and where messages go that nobody could deal with."""
    for name, dead, seconds in (
        ("ProcessQueue", "DeadQueue", PROCESS_SECONDS),
        ("BulkQueue", "DeadQueue", PROCESS_SECONDS),
        ("UpdateQueue", "UpdateDeadQueue", UPDATE_SECONDS),
    ):
        if dead not in template.resources:
            _add_queue(template, dead, 30)
        redrive = sqs.RedrivePolicy(deadLetterTargetArn=GetAtt(dead, "Arn"), maxReceiveCount=ATTEMPTS)
        _add_queue(template, name, seconds * _PATIENCE, RedrivePolicy=redrive)


def _add_queue(template: Template, name: str, visibility: int, **more: Any) -> None:
    template.add_resource(
        sqs.Queue(
            name,
            DeletionPolicy="Delete",
            UpdateReplacePolicy="Delete",
            MessageRetentionPeriod=KEPT_SECONDS,
            SqsManagedSseEnabled=True,
            VisibilityTimeout=visibility,
            **more,
        )
    )
    document = tls_only([GetAtt(name, "Arn")], "sqs")
    if name == "UpdateQueue":
        document["Statement"].append(_from_rule(name, "EndedRule"))
    template.add_resource(sqs.QueuePolicy(f"{name}Policy", Queues=[Ref(name)], PolicyDocument=document))


def _from_rule(queue: str, rule: str) -> dict[str, Any]:
    return {
        "Sid": "Events",
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": GetAtt(queue, "Arn"),
        "Condition": {"ArnEquals": {"aws:SourceArn": GetAtt(rule, "Arn")}},
    }


def add_topics(template: Template, places: Places) -> None:
    """The topics of workflow events and of output Items, and that of alarms unless one was brought."""
    for name in ("EventTopic", "PublishTopic"):
        template.add_resource(sns.Topic(name))
    cloud = places.layout.cloud
    if cloud.alarm_topic is None:
        template.add_resource(sns.Topic("AlarmTopic"))
    if cloud.alarm_email:
        topic = cloud.alarm_topic or Ref("AlarmTopic")
        template.add_resource(
            sns.SubscriptionResource("AlarmMail", TopicArn=topic, Protocol="email", Endpoint=cloud.alarm_email)
        )


def add_ended(template: Template, places: Places) -> None:
    """The rule that sends ends of the deployment's own executions to `update-state`, by way of its queue."""
    pattern: dict[str, Any] = {
        "source": ["aws.states"],
        "detail-type": ["Step Functions Execution Status Change"],
        "detail": {"status": list(ENDS), "stateMachineArn": places.machines},
    }
    target = events.Target(Id="update-state", Arn=GetAtt("UpdateQueue", "Arn"))
    template.add_resource(
        events.Rule("EndedRule", Description="Ends of executions", EventPattern=pattern, Targets=[target])
    )
