from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cirrus.deploying.deploy import Deployer
from cirrus.deploying.layout import layout
from cirrus.errors import ConfigError
from cirrus.settings import load_project
from tests.deploying.projects import SMALL, call, chain, everything, job, small, write

NO_RESOURCES = {
    "batch:DescribeJobs",
    "batch:TerminateJob",
    "cloudwatch:GetMetricData",
    "ecr:GetAuthorizationToken",
    "lambda:ListFunctions",
    "states:ListStateMachines",
    "states:SendTaskFailure",
    "states:SendTaskHeartbeat",
    "states:SendTaskSuccess",
}
"""Actions for which AWS knows no resource."""


def deployer(folder: Path) -> Deployer:
    project = load_project(folder)
    return Deployer(project, project.deployments["prod"], lambda _: None)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Deployer:
    return deployer(everything(tmp_path_factory.mktemp("whole") / "project"))


@pytest.fixture(scope="module")
def resources(whole: Deployer) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(whole.template)["Resources"]
    return found


def of(resources: dict[str, Any], kind: str) -> dict[str, Any]:
    return {name: one["Properties"] for name, one in resources.items() if one["Type"] == kind}


def statements(resources: dict[str, Any], role: str) -> list[dict[str, Any]]:
    policies = resources[role]["Properties"].get("Policies", [])
    return [one for policy in policies for one in policy["PolicyDocument"]["Statement"]]


def test_lint_finds_nothing(whole: Deployer) -> None:
    assert whole.lint() == []


def test_lint_finds_nothing_in_a_small_project(tmp_path: Path) -> None:
    more = 'data = "s3://mine/out"\npayloads = "s3://theirs/cirrus/prod"\napi = "off"\narchitecture = "arm64"\n'
    assert deployer(small(tmp_path / "p", more)).lint() == []


def test_lint_finds_what_is_wrong(whole: Deployer) -> None:
    broken = json.loads(whole.template)
    broken["Resources"]["StateTable"]["Properties"]["BillingMode"] = "FREE"
    whole_text, whole.template = whole.template, json.dumps(broken)
    try:
        assert [one for one in whole.lint() if one.startswith("E") and "FREE" in one]
    finally:
        whole.template = whole_text


def test_policies_name_resources(resources: dict[str, Any]) -> None:
    roles = of(resources, "AWS::IAM::Role")
    assert len(roles) > 15
    for role in roles:
        for one in statements(resources, role):
            assert all("*" not in action for action in one["Action"]), (role, one)
            if "*" in one["Resource"]:
                assert set(one["Action"]) <= NO_RESOURCES, (role, one)
            for resource in one["Resource"]:
                text = resource.get("Fn::Sub", "") if isinstance(resource, dict) else resource
                assert not text.endswith((":::*", ":*:*")), (role, text)


def test_roles_have_what_was_brought(resources: dict[str, Any]) -> None:
    roles = of(resources, "AWS::IAM::Role")
    assert {one["PermissionsBoundary"] for one in roles.values()} == {"arn:aws:iam::123456789012:policy/boundary"}
    assert roles["TaskToStacFunctionRole"]["ManagedPolicyArns"] == ["arn:aws:iam::123456789012:policy/extra"]


def test_task_reads_its_buckets_and_no_other(resources: dict[str, Any]) -> None:
    told = json.dumps(statements(resources, "TaskToStacFunctionRole"))
    assert "s3:::scenes/*" in told
    assert "secret:cirrus-creds-partner-*" in told
    assert "s3:::partner" not in told  # it is opened with the secret
    assert "scenes" not in json.dumps(statements(resources, "TaskBoxedFunctionRole"))
    assert "dynamodb" not in told


def test_process_starts_the_deployments_own_machines(resources: dict[str, Any]) -> None:
    started = [
        one for one in statements(resources, "ProcessFunctionRole") if one["Action"] == ["states:StartExecution"]
    ]
    machines = [one["Fn::Sub"].rpartition(":")[2] for one in started[0]["Resource"]]
    assert machines == ["sentinel-prod-batch", "sentinel-prod-cog", "sentinel-prod-outer"]


def test_buckets_are_closed_encrypted_and_expire(resources: dict[str, Any]) -> None:
    buckets = of(resources, "AWS::S3::Bucket")
    assert set(buckets) == {"PayloadBucket", "DataBucket"}
    for one in buckets.values():
        assert set(one["PublicAccessBlockConfiguration"].values()) == {True}
        assert one["BucketEncryption"]
    rules = buckets["PayloadBucket"]["LifecycleConfiguration"]["Rules"]
    assert [(one["Prefix"], one["ExpirationInDays"]) for one in rules if "Prefix" in one] == [
        ("cirrus/tmp/oversized/", 10),
        ("cirrus/tmp/batch/", 10),
        ("cirrus/tmp/invalid/", 14),
    ]
    for name in buckets:
        assert resources[name]["DeletionPolicy"] == "Retain"
        (statement,) = resources[f"{name}Policy"]["Properties"]["PolicyDocument"]["Statement"]
        assert statement["Effect"] == "Deny"
        assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_table_is_that_of_existing_deployments(resources: dict[str, Any]) -> None:
    from cirrus.adapters.aws.tables import outbox_schema, state_schema

    for name, schema in (("StateTable", state_schema("x")), ("OutboxTable", outbox_schema("x"))):
        made = resources[name]["Properties"]
        assert made["KeySchema"] == schema["KeySchema"]
        assert made.get("GlobalSecondaryIndexes") == schema.get("GlobalSecondaryIndexes")
        assert made["BillingMode"] == schema["BillingMode"]
        named = {one["AttributeName"]: one["AttributeType"] for one in made["AttributeDefinitions"]}
        assert named == {one["AttributeName"]: one["AttributeType"] for one in schema["AttributeDefinitions"]}


def test_only_who_lets_executions_go_on_may(resources: dict[str, Any]) -> None:
    roles = [
        name
        for name, one in resources.items()
        if one["Type"] == "AWS::IAM::Role"
        and any("states:RedriveExecution" in said["Action"] for said in statements(resources, name))
    ]
    assert {"ProcessFunctionRole", "SweepFunctionRole"} <= set(roles)
    assert not {"UpdateStateFunctionRole", "ApiFunctionRole", "OperatorRole"} & set(roles)


def test_sparse_index_is_made_where_it_is_asked_for(tmp_path: Path) -> None:
    from cirrus.adapters.aws.tables import state_schema

    made = deployer(small(tmp_path / "p", "attention_index = true\n"))
    assert made.lint() == []
    resources = json.loads(made.template)["Resources"]
    table = resources["StateTable"]["Properties"]
    assert table["GlobalSecondaryIndexes"] == state_schema("x", attention=True)["GlobalSecondaryIndexes"]
    assert {"AttributeName": "attention", "AttributeType": "S"} in table["AttributeDefinitions"]
    variables = resources["UpdateStateFunction"]["Properties"]["Environment"]["Variables"]
    assert variables["CIRRUS_ATTENTION_INDEX"] == "on"


def test_events_and_deliveries_are_kept_as_long_as_retention_says(tmp_path: Path) -> None:
    more = 'keep_events = true\nkeep_deliveries = true\n\n[deployments.prod.retention]\nevents = "30d"\n'
    made = deployer(small(tmp_path / "p", more))
    resources = json.loads(made.template)["Resources"]
    variables = resources["UpdateStateFunction"]["Properties"]["Environment"]["Variables"]
    assert (variables["CIRRUS_KEEP_EVENTS"], variables["CIRRUS_KEEP_DELIVERIES"]) == (str(30 * 86_400), "on")
    expiring = {"AttributeName": "expires", "Enabled": True}
    assert resources["OutboxTable"]["Properties"]["TimeToLiveSpecification"] == expiring
    assert not [one for one in made.unkept() if "retention" in one]
    assert made.lint() == []


def test_queues_have_dead_letter_queues(resources: dict[str, Any]) -> None:
    dead = {
        name: one["RedrivePolicy"]["deadLetterTargetArn"]["Fn::GetAtt"][0]
        for name, one in of(resources, "AWS::SQS::Queue").items()
        if "RedrivePolicy" in one
    }
    assert dead == {"ProcessQueue": "DeadQueue", "BulkQueue": "DeadQueue", "UpdateQueue": "UpdateDeadQueue"}


def test_functions_have_logs_that_end(resources: dict[str, Any]) -> None:
    functions = of(resources, "AWS::Lambda::Function")
    groups = {one["LogGroupName"]: one["RetentionInDays"] for one in of(resources, "AWS::Logs::LogGroup").values()}
    assert {f"/aws/lambda/{one['FunctionName']}" for one in functions.values()} <= groups.keys()
    assert set(groups.values()) == {30}


def test_functions_are_what_their_tasks_ask_for(resources: dict[str, Any]) -> None:
    functions = of(resources, "AWS::Lambda::Function")
    stac, boxed = functions["TaskToStacFunction"], functions["TaskBoxedFunction"]
    assert (stac["Timeout"], stac["MemorySize"], stac["ReservedConcurrentExecutions"]) == (300, 2048, 4)
    assert stac["Environment"]["Variables"]["GDAL_CACHEMAX"] == "512"
    assert boxed["Code"] == {"ImageUri": "123456789012.dkr.ecr.eu-central-1.amazonaws.com/boxed:3"}
    assert boxed["ImageConfig"] == {"Command": ["cirrus.entry.lambdas.task.lambda_handler"]}
    assert functions["ProcessFunction"]["Handler"] == "cirrus.entry.lambdas.process.lambda_handler"
    assert not {"TaskHeavyFunction", "TaskNeuralFunction"} & functions.keys()


def test_handlers_are_there(resources: dict[str, Any]) -> None:
    from importlib import import_module

    handlers = {one["Handler"] for one in of(resources, "AWS::Lambda::Function").values() if "Handler" in one}
    for handler in handlers:
        module, _, name = handler.rpartition(".")
        assert callable(getattr(import_module(module), name))


def test_functions_know_every_variable(resources: dict[str, Any]) -> None:
    from cirrus.variables import TABLE, read_variables

    given = of(resources, "AWS::Lambda::Function")["ProcessFunction"]["Environment"]["Variables"]
    known = {one.name for one in TABLE}
    assert given.keys() <= known
    texts = {name: "arn:a:states:r:0:stateMachine:x" if "ARN" in name else "COMPLETED" for name in given}
    assert read_variables(texts, "here").outbox_table
    stored = {one["Name"].rpartition("/")[2] for one in of(resources, "AWS::SSM::Parameter").values()}
    assert stored == {*given, "CIRRUS_CLI_IAM_ARN", "prod"}


def test_jobs_run_where_their_tasks_ask(resources: dict[str, Any]) -> None:
    environments = of(resources, "AWS::Batch::ComputeEnvironment")
    assert {name: one["ComputeResources"]["Type"] for name, one in environments.items()} == {
        "BatchEnvironment": "FARGATE",
        "BatchSpotEnvironment": "FARGATE_SPOT",
        "BatchGpuEnvironment": "EC2",
        "BatchGpuSpotEnvironment": "SPOT",
    }
    jobs = of(resources, "AWS::Batch::JobDefinition")
    needs = {
        name: {one["Type"]: one["Value"] for one in job["ContainerProperties"]["ResourceRequirements"]}
        for name, job in jobs.items()
    }
    assert needs["TaskHeavyJob"] == {"VCPU": "4", "MEMORY": "20480"}
    assert needs["TaskCheapJob"] == {"VCPU": "0.25", "MEMORY": "512"}
    assert needs["TaskNeuralJob"] == {"VCPU": "4", "MEMORY": "16384", "GPU": "1"}
    heavy = jobs["TaskHeavyJob"]
    assert heavy["ContainerProperties"]["Command"][-3:] == ["heavy", "Ref::url", "Ref::url_out"]
    assert heavy["Timeout"] == {"AttemptDurationSeconds": 10_800}
    assert jobs["TaskCheapJob"]["RetryStrategy"]["Attempts"] == 5
    assert heavy["RetryStrategy"]["Attempts"] == 1


def test_machines_call_what_the_stack_makes(resources: dict[str, Any]) -> None:
    machines = of(resources, "AWS::StepFunctions::StateMachine")
    batch = machines["MachineBatch"]
    filled = batch["DefinitionSubstitutions"]
    heavy = json.loads(batch["DefinitionString"])["States"]["heavy"]["Parameters"]
    assert filled[heavy["JobDefinition"].strip("${}")] == {"Ref": "TaskHeavyJob"}
    assert filled[heavy["JobQueue"].strip("${}")] == {"Ref": "BatchQueue"}
    assert filled["PreBatchFunction"] == {"Fn::GetAtt": ["PreBatchFunction", "Arn"]}
    outer = machines["MachineOuter"]
    inner = json.loads(outer["DefinitionString"])["States"]["inner"]["Parameters"]["StateMachineArn"]
    assert inner == "${States}:stateMachine:${Prefix}cog"
    assert "activity" not in outer["DefinitionString"]
    may = json.dumps(statements(resources, "MachineOuterRole"))
    assert "sqs:eu-central-1:123456789012:heard" in may
    assert "stateMachine:sentinel-prod-outer" in may  # a distributed Map starts executions of its own machine


def test_events_and_schedule(resources: dict[str, Any]) -> None:
    rules = of(resources, "AWS::Events::Rule")
    ended = rules["EndedRule"]["EventPattern"]["detail"]
    assert ended["status"] == ["SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"]
    assert [one["Fn::Sub"].rpartition("-")[2] for one in ended["stateMachineArn"]] == ["batch", "cog", "outer"]
    assert rules["SweepRule"]["ScheduleExpression"] == "rate(1 minute)"


def test_alarms_reach_somebody(resources: dict[str, Any]) -> None:
    alarms = of(resources, "AWS::CloudWatch::Alarm")
    assert {"DeadQueueDepthAlarm", "ProcessFunctionErrorsAlarm", "ProcessQueueAgeAlarm"} <= alarms.keys()
    assert all(one["AlarmActions"] == [{"Ref": "AlarmTopic"}] for one in alarms.values())
    assert of(resources, "AWS::SNS::Subscription")["AlarmMail"]["Endpoint"] == "me@example.com"


def test_pointer_is_found_by_the_command_line(resources: dict[str, Any]) -> None:
    pointer = resources["Pointer"]["Properties"]
    assert pointer["Name"] == "/cirrus/deployments/prod"
    assert json.loads(pointer["Value"]) == {"type": "parameter_store", "value": "/cirrus/stacks/sentinel-prod/"}


RETENTION = """
[deployments.prod.retention]
logs = "45d"
tmp = "3d"
invalid = "7d"
records = { COMPLETED = "200d", FAILED = "120d", INVALID = "120d", ABORTED = "120d" }
"""


def test_retention_becomes_rules_of_the_services(tmp_path: Path) -> None:
    found = deployer(small(tmp_path / "p", RETENTION))
    made = json.loads(found.template)["Resources"]
    rules = made["PayloadBucket"]["Properties"]["LifecycleConfiguration"]["Rules"]
    assert {one["Prefix"]: one["ExpirationInDays"] for one in rules if "Prefix" in one} == {
        "cirrus/tmp/oversized/": 3,
        "cirrus/tmp/batch/": 3,
        "cirrus/tmp/invalid/": 7,
        "cirrus/executions/": 201,
    }
    assert {one["RetentionInDays"] for one in of(made, "AWS::Logs::LogGroup").values()} == {60}
    told = made["UpdateStateFunction"]["Properties"]["Environment"]["Variables"]["CIRRUS_RECORD_AGES"]
    assert told == "ABORTED=10368000,COMPLETED=17280000,FAILED=10368000,INVALID=10368000"
    assert made["StateTable"]["Properties"]["TimeToLiveSpecification"] == {"AttributeName": "expires", "Enabled": True}
    assert found.lint() == []


def test_what_aws_does_not_keep_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"prod\.retention\.records: at least 90d is expected on AWS for FAILED"):
        deployer(small(tmp_path / "p", '\n[deployments.prod.retention]\nrecords = { FAILED = "30d" }\n'))
    more = '\n[deployments.prod.retention]\nhistories = "30d"\nevents = "5d"\n'
    more += 'logs = { FAILED = "90d", COMPLETED = "7d" }\n'
    more += '[tasks.cut]\nhandler = "tasks.cut:cut"\nrate = "10/s"\n'
    assert [one.partition(": ")[0] for one in deployer(small(tmp_path / "q", more)).unkept()] == [
        "tasks.cut.rate",
        "retention.histories",
        "retention.events",
        "retention.logs",
    ]


def test_functions_are_told_of_limits(tmp_path: Path) -> None:
    more = '\n[workflows.greet]\nmax_running = 3\n[collections."*"]\nrate = "10/s"\n'
    made = json.loads(deployer(small(tmp_path / "p", more)).template)["Resources"]
    for function in ("ProcessFunction", "UpdateStateFunction", "SweepFunction"):
        told = made[function]["Properties"]["Environment"]["Variables"]["CIRRUS_LIMITS"]
        assert json.loads(told) == {"workflows": {"greet": [3, None]}, "collections": {"*": [None, "10/s"]}}
    many = "\n".join(f"[collections.c{n:050d}]\nmax_running = 1" for n in range(40))
    with pytest.raises(ConfigError, match="take more than 2000 bytes"):
        deployer(small(tmp_path / "q", f"\n{many}\n"))


def test_buckets_may_be_brought(tmp_path: Path) -> None:
    more = 'data = "s3://mine/out"\npayloads = "s3://theirs/cirrus/prod"\n'
    made = json.loads(deployer(small(tmp_path / "p", more)).template)["Resources"]
    assert of(made, "AWS::S3::Bucket") == {}
    variables = of(made, "AWS::Lambda::Function")["ProcessFunction"]["Environment"]["Variables"]
    assert (variables["CIRRUS_PAYLOAD_BUCKET"], variables["CIRRUS_PAYLOAD_ROOT_PREFIX"]) == ("theirs", "cirrus/prod")
    told = json.dumps(statements(made, "TaskHelloFunctionRole"))
    assert "s3:::mine/out/*" in told
    assert "s3:::theirs/cirrus/prod/*" in told


def problems(folder: Path, settings: str, **workflows: Any) -> list[str]:
    project = load_project(write(folder, settings, workflows))
    with pytest.raises(ConfigError) as refused:
        layout(project, project.deployments["prod"])
    return list(refused.value.problems)


def test_what_aws_would_refuse_is_refused(tmp_path: Path) -> None:
    settings = """
        [project]
        name = "small"
        [tasks.slow]
        handler = "tasks.mine:hello"
        timeout = "2h"
        memory = "20GB"
        [tasks.huge]
        handler = "tasks.mine:hello"
        cpu = 64
        image = "public.ecr.aws/mine/huge:1"
        [tasks.process]
        handler = "tasks.mine:hello"
        [tasks.bare]
        handler = "tasks.mine:hello"
        [deployments.prod]
        home = "aws"
    """
    told = "\n".join(problems(tmp_path / "p", settings, w=chain(("slow", call("slow")), ("bare", job("bare")))))
    assert "tasks.slow.timeout: a function may take 1 s to 15m; longer tasks are jobs of Batch" in told
    assert "tasks.slow.memory: a function has 128MiB to 10GiB" in told
    assert "tasks.huge: Fargate has no 64 cores with 0 MiB" in told
    assert "tasks.process: Cirrus has a function of that name" in told
    assert "tasks.bare.image: a job of Batch runs in an image" in told
    assert "deployments.prod.subnets: Batch needs subnets and security_groups" in told


def test_workflow_that_is_wrong_is_named(tmp_path: Path) -> None:
    told = problems(tmp_path / "p", SMALL, greet=chain(("hello", call("helo"))))
    assert "did you mean 'hello'?" in told[0]


def test_local_deployment_is_not_deployed(tmp_path: Path) -> None:
    project = load_project(small(tmp_path / "p"))
    with pytest.raises(ConfigError, match=r"deployments\.local\.home: 'aws' is expected, not 'local'"):
        layout(project, project.deployments["local"])


def test_missing_extra_is_named(tmp_path: Path) -> None:
    folder = small(tmp_path / "p")
    program = (
        "import sys\nsys.modules['troposphere'] = None\nfrom cirrus.entry.cli.main import main\n"
        f"sys.argv = ['cirrus', '-p', {str(folder)!r}, 'deploy', 'prod', '--plan']\nmain()\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert done.stderr == "cirrus: cirrus deploy needs an extra: pip install 'cirrus[deploy]'\n"
    assert done.returncode == 1
