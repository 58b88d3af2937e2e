"""The CloudFormation template of a deployment: everything that it is made of, and where the command line finds it."""

from __future__ import annotations

import json
from typing import Any

from troposphere import Output, Parameter, Ref, Sub, Template, iam, ssm

from cirrus.core.throttle import write_limits
from cirrus.deploying.alarms import add_alarms
from cirrus.deploying.batch import add_jobs
from cirrus.deploying.functions import CONTROL_CODE, TASK_CODE, Functions
from cirrus.deploying.layout import Layout
from cirrus.deploying.machines import add_machines
from cirrus.deploying.messaging import add_ended, add_queues, add_topics
from cirrus.deploying.permissions import Permissions, policy
from cirrus.deploying.places import STATES, Places
from cirrus.deploying.retention import kept_age, record_ages
from cirrus.deploying.storage import add_buckets, add_tables
from cirrus.errors import ConfigError

LONGEST = 1_000_000


def build(layout: Layout) -> str:
    """The template as JSON text; ConfigError if it is larger than CloudFormation takes."""
    places = Places(layout)
    template = Template()
    template.set_version("2010-09-09")
    template.set_description(f"Cirrus: {layout.project.name}, deployment {layout.where.name}")
    _add_code(template, layout)
    add_tables(template, places)
    add_buckets(template, places)
    add_queues(template)
    add_topics(template, places)
    variables = _variables(places)
    Functions(template, places, variables).add()
    add_jobs(template, places)
    add_machines(template, places)
    if layout.machines:
        add_ended(template, places)
    add_alarms(template, places)
    _add_operator(template, places)
    _add_parameters(template, places, variables)
    _add_outputs(template, places)
    text: str = json.dumps(template.to_dict(), indent=1, sort_keys=True)
    if len(text.encode()) > LONGEST:
        raise ConfigError("cirrus.toml", [f"the template is larger than {LONGEST} bytes: make two projects of it"])
    return text


def _add_code(template: Template, layout: Layout) -> None:
    template.add_parameter(Parameter("CodeBucket", Type="String", Description="The bucket of the code"))
    template.add_parameter(Parameter(CONTROL_CODE, Type="String", Description="The key of the code of Cirrus"))
    if any(layout.image(name) is None for name in layout.functions):
        told = "The key of the code of the project's tasks"
        template.add_parameter(Parameter(TASK_CODE, Type="String", Description=told))


def _variables(places: Places) -> dict[str, Any]:
    """What functions find in their environment, and the command line in the parameter store."""
    keeps_sent = places.layout.cloud.keep_deliveries
    return {
        "CIRRUS_STATE_DB": Ref("StateTable"),
        "CIRRUS_OUTBOX_TABLE": Ref("OutboxTable"),
        "CIRRUS_PAYLOAD_BUCKET": places.payload_bucket,
        "CIRRUS_PAYLOAD_ROOT_PREFIX": places.root,
        "CIRRUS_DATA_BUCKET": places.data_bucket,
        "CIRRUS_BASE_WORKFLOW_ARN": Sub(f"{STATES}:stateMachine:{places.prefix}"),
        "CIRRUS_PROCESS_QUEUE_URL": Ref("ProcessQueue"),
        "CIRRUS_BULK_QUEUE_URL": Ref("BulkQueue"),
        "CIRRUS_DEAD_QUEUE_URL": Ref("DeadQueue"),
        "CIRRUS_PUBLISH_TOPIC_ARN": Ref("PublishTopic"),
        "CIRRUS_WORKFLOW_EVENT_TOPIC_ARN": Ref("EventTopic"),
        "CIRRUS_WORKFLOW_METRIC_NAMESPACE": places.prefix.rstrip("-"),
        "CIRRUS_PREFIX": places.prefix,
        "CIRRUS_VOCABULARY": places.layout.cloud.vocabulary,
        "CIRRUS_LOG_LEVEL": "INFO",
        **({"CIRRUS_LINEAGE": "on"} if places.layout.cloud.lineage else {}),
        **({"CIRRUS_KEEP_EVENTS": kept_age(places.layout, "events")} if places.layout.cloud.keep_events else {}),
        **({"CIRRUS_KEEP_DELIVERIES": kept_age(places.layout, "deliveries")} if keeps_sent else {}),
        **({"CIRRUS_ATTENTION_INDEX": "on"} if places.layout.cloud.attention_index else {}),
        **({"CIRRUS_LIMITS": limits} if (limits := write_limits(places.layout.project.throttle)) else {}),
        **({"CIRRUS_RECORD_AGES": ages} if (ages := record_ages(places.layout)) else {}),
    }


def _add_operator(template: Template, places: Places) -> None:
    """The role of the command line, which whoever may assume roles of this account can be given."""
    account = Sub("arn:${AWS::Partition}:iam::${AWS::AccountId}:root")
    assumed = {"Effect": "Allow", "Principal": {"AWS": account}, "Action": "sts:AssumeRole"}
    boundary = places.layout.cloud.permissions_boundary
    template.add_resource(
        iam.Role(
            "OperatorRole",
            AssumeRolePolicyDocument={"Version": "2012-10-17", "Statement": [assumed]},
            Policies=[iam.Policy(**policy("own", Permissions(places).operator()))],
            **({"PermissionsBoundary": boundary} if boundary else {}),
        )
    )


def _add_parameters(template: Template, places: Places, variables: dict[str, Any]) -> None:
    known = {**variables, "CIRRUS_CLI_IAM_ARN": template.resources["OperatorRole"].get_att("Arn")}
    for name, value in known.items():
        place = "".join(word.title() for word in name.split("_"))
        parameter = ssm.Parameter(f"{place}Parameter", Type="String", Name=f"{places.parameters}{name}", Value=value)
        template.add_resource(parameter)
    pointer = json.dumps({"type": "parameter_store", "value": places.parameters})
    template.add_resource(ssm.Parameter("Pointer", Type="String", Name=places.pointer, Value=pointer))


def _add_outputs(template: Template, places: Places) -> None:
    shown = {
        "StateTable": Ref("StateTable"),
        "OutboxTable": Ref("OutboxTable"),
        "PayloadBucket": places.payload_bucket,
        "DataBucket": places.data_bucket,
        "ProcessQueue": Ref("ProcessQueue"),
        "PublishTopic": Ref("PublishTopic"),
        "EventTopic": Ref("EventTopic"),
        "OperatorRole": template.resources["OperatorRole"].get_att("Arn"),
    }
    if "ApiUrl" in template.resources:
        shown["ApiUrl"] = template.resources["ApiUrl"].get_att("FunctionUrl")
    for name, value in shown.items():
        template.add_output(Output(f"{name}Output", Value=value))
