"""Alarms: dead letters, functions that fail or are throttled, messages that wait too long."""

from __future__ import annotations

from typing import Any

from troposphere import GetAtt, Ref, Template, cloudwatch

from cirrus.deploying.places import Places

PERIOD = 300
OLDEST = 3600
_OWN = ("ProcessFunction", "UpdateStateFunction", "SweepFunction")


def add_alarms(template: Template, places: Places) -> None:
    """Every alarm, to the topic of alarms."""
    topic = places.layout.cloud.alarm_topic or Ref("AlarmTopic")
    for queue in ("DeadQueue", "UpdateDeadQueue"):
        told = "Messages that could not be dealt with: cirrus manage NAME quarantine"
        _add(template, topic, f"{queue}Depth", told, _visible(queue), 0, Statistic="Maximum")
    for queue in ("ProcessQueue", "UpdateQueue"):  # the bulk queue may take its time
        told = "Messages wait for more than an hour"
        _add(template, topic, f"{queue}Age", told, _oldest(queue), OLDEST, Statistic="Maximum")
    for function in _OWN:
        for metric in ("Errors", "Throttles"):
            told = f"{metric} of a function without which nothing goes on"
            _add(template, topic, f"{function}{metric}", told, _function(function, metric), 0, Statistic="Sum")


def _add(template: Template, topic: Any, name: str, told: str, metric: dict[str, Any], most: int, **more: Any) -> None:
    template.add_resource(
        cloudwatch.Alarm(
            f"{name}Alarm",
            AlarmDescription=told,
            AlarmActions=[topic],
            OKActions=[topic],
            Period=PERIOD,
            EvaluationPeriods=1,
            Threshold=most,
            ComparisonOperator="GreaterThanThreshold",
            TreatMissingData="notBreaching",
            **metric,
            **more,
        )
    )


def _visible(queue: str) -> dict[str, Any]:
    return _sqs(queue, "ApproximateNumberOfMessagesVisible")


def _oldest(queue: str) -> dict[str, Any]:
    return _sqs(queue, "ApproximateAgeOfOldestMessage")


def _sqs(queue: str, metric: str) -> dict[str, Any]:
    return _metric("AWS/SQS", metric, "QueueName", GetAtt(queue, "QueueName"))


def _function(function: str, metric: str) -> dict[str, Any]:
    return _metric("AWS/Lambda", metric, "FunctionName", Ref(function))


def _metric(namespace: str, metric: str, dimension: str, value: Any) -> dict[str, Any]:
    named = cloudwatch.MetricDimension(Name=dimension, Value=value)
    return {"Namespace": namespace, "MetricName": metric, "Dimensions": [named]}
