"""Small invalid definitions, at least one for each rule: (what is wrong, definition, where it is found)."""

from __future__ import annotations

import json
from typing import Any

from tests.asl.builders import FUNCTION, INVOKE

Row = tuple[str, Any, str]

END: dict[str, Any] = {"Type": "Succeed"}
A = "/States/A"
JSONATA = {"QueryLanguage": "JSONata"}


def only(state: Any, **top: Any) -> dict[str, Any]:
    return {"StartAt": "A", "States": {"A": state}, **top}


def passing(**fields: Any) -> dict[str, Any]:
    return only({"Type": "Pass", "End": True, **fields})


def calling(**fields: Any) -> dict[str, Any]:
    return only({"Type": "Task", "Resource": FUNCTION, "End": True, **fields})


def waiting(**fields: Any) -> dict[str, Any]:
    return only({"Type": "Wait", "End": True, **fields})


def choosing(*rules: Any, **fields: Any) -> dict[str, Any]:
    state = {"Type": "Choice", "Choices": list(rules), "Default": "B", **fields}
    return {"StartAt": "A", "States": {"A": state, "B": END}}


def rule(**fields: Any) -> dict[str, Any]:
    return {"Variable": "$.x", "Next": "B", **fields}


def failing(**fields: Any) -> dict[str, Any]:
    return only({"Type": "Fail", **fields})


def retrying(**fields: Any) -> dict[str, Any]:
    return calling(Retry=[{"ErrorEquals": ["E"], **fields}])


def catching(**fields: Any) -> dict[str, Any]:
    definition = calling(Catch=[{"ErrorEquals": ["E"], "Next": "B", **fields}])
    definition["States"]["B"] = END
    return definition


def inner(name: str = "I", **state: Any) -> dict[str, Any]:
    return {"StartAt": name, "States": {name: state or {"Type": "Pass", "End": True}}}


def forking(*branches: Any, **fields: Any) -> dict[str, Any]:
    return only({"Type": "Parallel", "Branches": list(branches), "End": True, **fields})


def mapping(**fields: Any) -> dict[str, Any]:
    return only({"Type": "Map", "ItemProcessor": inner(), "End": True, **fields})


def distributed(**fields: Any) -> dict[str, Any]:
    processor = {**inner(), "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}}
    return mapping(ItemProcessor=processor, **fields)


def reading(config: Any = None, **fields: Any) -> dict[str, Any]:
    reader = {
        "Resource": "arn:aws:states:::s3:getObject",
        "ReaderConfig": {"InputType": "JSON"} if config is None else config,
        "Parameters": {"Bucket": "b", "Key": "k"},
        **fields,
    }
    return distributed(ItemReader=reader)


def writing(**fields: Any) -> dict[str, Any]:
    writer = {"Resource": "arn:aws:states:::s3:putObject", "Parameters": {"Bucket": "b"}, **fields}
    return distributed(ResultWriter=writer)


def without(definition: dict[str, Any], *names: str) -> dict[str, Any]:
    for name in names:
        del definition["States"]["A"][name]
    return definition


def jsonata(definition: dict[str, Any]) -> dict[str, Any]:
    return {**definition, **JSONATA}


TEXTS: list[Row] = [
    ("nothing", "", "/"),
    ("no JSON", "not a definition", "/"),
    ("a list", "[]", "/"),
    ("a text", '"x"', "/"),
    ("cut off", '{"StartAt": "A"', "/"),
    ("a comma too many", '{"StartAt": "A",}', "/"),
    ("NaN", '{"StartAt": NaN}', "/"),
    ("two documents", "{} {}", "/"),
    ("broken YAML", "StartAt: A\nStates: [", "/"),
    ("a YAML list", "- a\n- b", "/"),
    ("bytes that are no text", b"\xff\xfe{}", "/"),
    ("too deep", '{"a":' * 3_000 + "1" + "}" * 3_000, "/"),
    ("deep enough to refuse", json.dumps(only(json.loads('{"a":' * 220 + "1" + "}" * 220))), "/"),
    ("too large", json.dumps({**passing(), "Comment": "x" * 1_100_000}), "/"),
    (
        "YAML that unfolds",
        "a: &a [x, x, x, x, x, x, x, x, x]\n"
        + "".join(
            f"{b}: &{b} [" + ", ".join([f"*{a}"] * 9) + "]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
        ),
        "/",
    ),
]

TOP: list[Row] = [
    ("empty", {}, "/"),
    ("no States", {"StartAt": "A"}, "/"),
    ("no StartAt", {"States": {"A": END}}, "/"),
    ("StartAt null", {"StartAt": None, "States": {"A": END}}, "/StartAt"),
    ("States a list", {"StartAt": "A", "States": []}, "/States"),
    ("no state at all", {"StartAt": "A", "States": {}}, "/States"),
    ("StartAt a number", {"StartAt": 1, "States": {"A": END}}, "/StartAt"),
    ("StartAt of no state", {"StartAt": "X", "States": {"A": END}}, "/StartAt"),
    ("StartAt in another case", {"StartAt": "a", "States": {"A": END}}, "/StartAt"),
    ("unknown field", only(END, Extra=1), "/Extra"),
    ("field in another case", only(END, comment="x"), "/comment"),
    ("Version", only(END, Version="2.0"), "/Version"),
    ("Version a number", only(END, Version=1.0), "/Version"),
    ("Comment a number", only(END, Comment=1), "/Comment"),
    ("TimeoutSeconds a text", only(END, TimeoutSeconds="60"), "/TimeoutSeconds"),
    ("TimeoutSeconds of nothing", only(END, TimeoutSeconds=0), "/TimeoutSeconds"),
    ("TimeoutSeconds too long", only(END, TimeoutSeconds=100_000_000), "/TimeoutSeconds"),
    ("TimeoutSeconds a boolean", only(END, TimeoutSeconds=True), "/TimeoutSeconds"),
    ("QueryLanguage", only(END, QueryLanguage="jq"), "/QueryLanguage"),
]

STATES: list[Row] = [
    ("state a text", only("x"), A),
    ("state null", only(None), A),
    ("no Type", only({"End": True}), A),
    ("unknown Type", only({"Type": "Job", "End": True}), f"{A}/Type"),
    ("Type in another case", only({"Type": "pass", "End": True}), f"{A}/Type"),
    ("Type a number", only({"Type": 1}), f"{A}/Type"),
    ("name too long", {"StartAt": "N" * 81, "States": {"N" * 81: END}}, f"/States/{'N' * 81}"),
    ("name empty", {"StartAt": "", "States": {"": END}}, "/States/"),
    ("names twice", forking(inner("A")), f"{A}/Branches/0/States/A"),
    ("unknown field of a state", passing(Foo=1), f"{A}/Foo"),
    ("field of another type of state", passing(Resource="x"), f"{A}/Resource"),
    ("Comment of a state", passing(Comment=["x"]), f"{A}/Comment"),
    ("QueryLanguage of a state", passing(QueryLanguage="XPath"), f"{A}/QueryLanguage"),
    ("JSONPath in JSONata", jsonata(passing(QueryLanguage="JSONPath")), A),
    ("neither Next nor End", only({"Type": "Pass"}), A),
    ("End false", only({"Type": "Pass", "End": False}), A),
    ("Next and End", {"StartAt": "A", "States": {"A": {"Type": "Pass", "Next": "B", "End": True}, "B": END}}, A),
    ("Next of no state", only({"Type": "Pass", "Next": "X"}), f"{A}/Next"),
    ("Next a number", only({"Type": "Pass", "Next": 1}), f"{A}/Next"),
    ("End a text", passing(End="true"), f"{A}/End"),
    ("not reachable", {"StartAt": "A", "States": {"A": END, "B": END}}, "/States/B"),
    (
        "not reachable in a branch",
        forking({"StartAt": "I", "States": {"I": END, "J": END}}),
        f"{A}/Branches/0/States/J",
    ),
    ("Next of Succeed", only({"Type": "Succeed", "Next": "A"}), f"{A}/Next"),
    ("End of Succeed", only({"Type": "Succeed", "End": True}), f"{A}/End"),
    ("End of Fail", failing(End=True), f"{A}/End"),
    ("Next of Choice", choosing(rule(IsNull=True), Next="B"), f"{A}/Next"),
    (
        "out of a branch",
        {
            "StartAt": "A",
            "States": {"A": {"Type": "Parallel", "Branches": [inner(Type="Pass", Next="B")], "Next": "B"}, "B": END},
        },
        f"{A}/Branches/0/States/I/Next",
    ),
]

DATA: list[Row] = [
    ("InputPath no path", passing(InputPath="x"), f"{A}/InputPath"),
    ("InputPath broken", passing(InputPath="$.a["), f"{A}/InputPath"),
    ("InputPath a number", passing(InputPath=1), f"{A}/InputPath"),
    ("OutputPath broken", passing(OutputPath="$..[", ResultPath="$"), f"{A}/OutputPath"),
    ("ResultPath with a wildcard", passing(ResultPath="$.a[*]"), f"{A}/ResultPath"),
    ("ResultPath with two dots", passing(ResultPath="$..a"), f"{A}/ResultPath"),
    ("ResultPath into the context", passing(ResultPath="$$.a"), f"{A}/ResultPath"),
    ("ResultPath into a variable", passing(ResultPath="$v.a"), f"{A}/ResultPath"),
    ("ResultPath no path", passing(ResultPath="a.b"), f"{A}/ResultPath"),
    ("Parameters with no path", passing(Parameters={"a.$": "b"}), f"{A}/Parameters"),
    ("Parameters with a number for a path", passing(Parameters={"a.$": 1}), f"{A}/Parameters"),
    ("Parameters with a broken path below", passing(Parameters={"x": [{"a.$": "$.["}]}), f"{A}/Parameters/x/0"),
    ("unknown function", passing(Parameters={"a.$": "States.Nothing()"}), f"{A}/Parameters"),
    ("too few arguments", passing(Parameters={"a.$": "States.Hash('a')"}), f"{A}/Parameters"),
    ("a bad escape", passing(Parameters={"a.$": "States.Format('\\\"{}', 1)"}), f"{A}/Parameters"),
    ("a call not closed", passing(Parameters={"a.$": "States.Array(1"}), f"{A}/Parameters"),
    ("calls too deep", passing(Parameters={"a.$": "States.Array(" * 12 + ")" * 12}), f"{A}/Parameters"),
    ("Parameters of a task a text", calling(Parameters="x"), f"{A}/Parameters"),
    ("ResultSelector a list", calling(ResultSelector=[]), f"{A}/ResultSelector"),
    ("ResultSelector of Pass", passing(ResultSelector={}), f"{A}/ResultSelector"),
    ("ResultPath of Wait", waiting(Seconds=1, ResultPath="$.a"), f"{A}/ResultPath"),
    ("InputPath of Fail", failing(InputPath="$"), f"{A}/InputPath"),
    ("Assign a text", passing(Assign="x"), f"{A}/Assign"),
    ("Assign of a bad name", passing(Assign={"1a": 1}), f"{A}/Assign/1a"),
    ("Assign of a name with a dash", passing(Assign={"a-b": 1}), f"{A}/Assign/a-b"),
    ("Assign of a long name", passing(Assign={"a" * 81: 1}), f"{A}/Assign/{'a' * 81}"),
    ("Assign of states", passing(Assign={"states": 1}), f"{A}/Assign/states"),
    ("Assign with a broken path", passing(Assign={"a.$": "$."}), f"{A}/Assign"),
    ("Assign of Succeed", only({"Type": "Succeed", "Assign": {}}), f"{A}/Assign"),
    ("Assign of Fail", failing(Assign={}), f"{A}/Assign"),
    (
        "a variable hidden in a branch",
        forking(inner(Type="Pass", Assign={"v": 1}, End=True), Assign={"v": 2}),
        f"{A}/Branches/0/States/I/Assign/v",
    ),
    (
        "a variable hidden in a Map",
        mapping(ItemProcessor=inner(Type="Pass", Assign={"v.$": "$"}, End=True), Assign={"v": 2}),
        f"{A}/ItemProcessor/States/I/Assign/v.$",
    ),
    ("Output of JSONPath", passing(Output={}), f"{A}/Output"),
    ("Arguments of JSONPath", calling(Arguments={}), f"{A}/Arguments"),
]

EXPRESSIONS: list[Row] = [
    ("InputPath of JSONata", jsonata(passing(InputPath="$")), f"{A}/InputPath"),
    ("Parameters of JSONata", jsonata(calling(Parameters={})), f"{A}/Parameters"),
    ("ResultPath of JSONata", jsonata(passing(ResultPath="$")), f"{A}/ResultPath"),
    ("ResultSelector of JSONata", jsonata(calling(ResultSelector={})), f"{A}/ResultSelector"),
    ("Result of JSONata", jsonata(passing(Result=1)), f"{A}/Result"),
    ("Arguments of Pass", jsonata(passing(Arguments={})), f"{A}/Arguments"),
    ("Output broken", jsonata(passing(Output="{% 1 + %}")), f"{A}/Output"),
    ("Output broken below", jsonata(passing(Output={"a": [1, "{% ( %}"]})), f"{A}/Output/a/1"),
    ("Output of nothing", jsonata(passing(Output="{% %}")), f"{A}/Output"),
    ("Arguments broken", jsonata(calling(Arguments={"a": "{% [ %}"})), f"{A}/Arguments/a"),
    ("Assign broken", jsonata(passing(Assign={"a": "{% } %}"})), f"{A}/Assign/a"),
    ("Assign of a path's name", jsonata(passing(Assign={"a.$": "$.x"})), f"{A}/Assign/a.$"),
    ("a pattern that is none", jsonata(passing(Output="{% $match('a', /(/) %}")), f"{A}/Output"),
    ("TimeoutSeconds no expression", jsonata(calling(TimeoutSeconds="60")), f"{A}/TimeoutSeconds"),
    ("TimeoutSecondsPath of JSONata", jsonata(calling(TimeoutSecondsPath="$.a")), f"{A}/TimeoutSecondsPath"),
    ("SecondsPath of JSONata", jsonata(waiting(SecondsPath="$.a")), f"{A}/SecondsPath"),
    ("Seconds no expression", jsonata(waiting(Seconds="10")), f"{A}/Seconds"),
    ("Timestamp broken", jsonata(waiting(Timestamp="{% ( %}")), f"{A}/Timestamp"),
    ("Condition no expression", jsonata(choosing({"Condition": "x", "Next": "B"})), f"{A}/Choices/0/Condition"),
    ("Condition broken", jsonata(choosing({"Condition": "{% = %}", "Next": "B"})), f"{A}/Choices/0/Condition"),
    ("no Condition", jsonata(choosing({"Next": "B"})), f"{A}/Choices/0"),
    (
        "Variable of JSONata",
        jsonata(choosing({"Condition": True, "Next": "B", "Variable": "$"})),
        f"{A}/Choices/0/Variable",
    ),
    (
        "Output of a rule broken",
        jsonata(choosing({"Condition": True, "Next": "B", "Output": "{% ( %}"})),
        f"{A}/Choices/0/Output",
    ),
    ("Output of a catcher broken", jsonata(catching(Output="{% ( %}")), f"{A}/Catch/0/Output"),
    ("ResultPath of a catcher", jsonata(catching(ResultPath="$.e")), f"{A}/Catch/0/ResultPath"),
    ("Items a text", jsonata(mapping(Items="x")), f"{A}/Items"),
    ("Items broken", jsonata(mapping(Items="{% [ %}")), f"{A}/Items"),
    ("ItemsPath of JSONata", jsonata(mapping(ItemsPath="$.a")), f"{A}/ItemsPath"),
    ("ItemSelector broken", jsonata(mapping(ItemSelector={"a": "{% [ %}"})), f"{A}/ItemSelector/a"),
    ("ErrorPath of JSONata", jsonata(failing(ErrorPath="$.a")), f"{A}/ErrorPath"),
    ("Cause broken", jsonata(failing(Cause="{% ( %}")), f"{A}/Cause"),
    ("Condition of JSONPath", choosing({"Condition": "{% true %}", "Next": "B"}), f"{A}/Choices/0/Condition"),
    ("Items of JSONPath", mapping(Items=[]), f"{A}/Items"),
]

TASKS: list[Row] = [
    ("no Resource", without(calling(), "Resource"), A),
    ("Resource no ARN", calling(Resource="f"), f"{A}/Resource"),
    ("Resource a number", calling(Resource=1), f"{A}/Resource"),
    ("Resource of another service", calling(Resource="arn:aws:s3:::bucket"), f"{A}/Resource"),
    ("Resource of no service", calling(Resource="arn:aws:states:::dynamo:putItem"), f"{A}/Resource"),
    ("Resource of no action", calling(Resource="arn:aws:states:::lambda"), f"{A}/Resource"),
    ("lambda:invoke.sync", calling(Resource=f"{INVOKE}.sync"), f"{A}/Resource"),
    ("sqs:sendMessage.sync", calling(Resource="arn:aws:states:::sqs:sendMessage.sync"), f"{A}/Resource"),
    ("batch:submitJob.sync:2", calling(Resource="arn:aws:states:::batch:submitJob.sync:2"), f"{A}/Resource"),
    ("aws-sdk with .sync", calling(Resource="arn:aws:states:::aws-sdk:s3:getObject.sync"), f"{A}/Resource"),
    ("unknown pattern", calling(Resource=f"{INVOKE}.later"), f"{A}/Resource"),
    ("no FunctionName", calling(Resource=INVOKE, Parameters={"Payload": {}}), f"{A}/Parameters"),
    ("unknown parameter", calling(Resource=INVOKE, Parameters={"FunctionName": "f", "Input": 1}), f"{A}/Parameters"),
    (
        "no JobQueue",
        calling(
            Resource="arn:aws:states:::batch:submitJob.sync",
            Parameters={"JobName": "n", "JobDefinition": "d"},
        ),
        f"{A}/Parameters",
    ),
    (
        "no StateMachineArn",
        jsonata(calling(Resource="arn:aws:states:::states:startExecution", Arguments={"Input": {}})),
        f"{A}/Arguments",
    ),
    ("TimeoutSeconds of nothing", calling(TimeoutSeconds=0), f"{A}/TimeoutSeconds"),
    ("TimeoutSeconds a fraction", calling(TimeoutSeconds=1.5), f"{A}/TimeoutSeconds"),
    ("TimeoutSeconds a text", calling(TimeoutSeconds="5"), f"{A}/TimeoutSeconds"),
    ("TimeoutSeconds twice", calling(TimeoutSeconds=5, TimeoutSecondsPath="$.a"), A),
    ("TimeoutSecondsPath no path", calling(TimeoutSecondsPath="a"), f"{A}/TimeoutSecondsPath"),
    ("TimeoutSecondsPath of many", calling(TimeoutSecondsPath="$.a[*]"), f"{A}/TimeoutSecondsPath"),
    ("HeartbeatSeconds negative", calling(HeartbeatSeconds=-1), f"{A}/HeartbeatSeconds"),
    ("HeartbeatSeconds as long as the timeout", calling(HeartbeatSeconds=5, TimeoutSeconds=5), f"{A}/HeartbeatSeconds"),
    ("HeartbeatSeconds twice", calling(HeartbeatSeconds=5, HeartbeatSecondsPath="$.a"), A),
    ("Credentials a text", calling(Credentials="x"), f"{A}/Credentials"),
    ("Credentials of something else", calling(Credentials={"Key": "x"}), f"{A}/Credentials/Key"),
    ("Credentials with a broken path", calling(Credentials={"RoleArn.$": "x"}), f"{A}/Credentials/RoleArn.$"),
]

ERRORS: list[Row] = [
    ("Retry an object", calling(Retry={}), f"{A}/Retry"),
    ("Retry of Pass", passing(Retry=[]), f"{A}/Retry"),
    ("a retrier a text", calling(Retry=["x"]), f"{A}/Retry/0"),
    ("no ErrorEquals", calling(Retry=[{}]), f"{A}/Retry/0"),
    ("ErrorEquals a text", calling(Retry=[{"ErrorEquals": "E"}]), f"{A}/Retry/0/ErrorEquals"),
    ("ErrorEquals empty", calling(Retry=[{"ErrorEquals": []}]), f"{A}/Retry/0/ErrorEquals"),
    ("ErrorEquals of numbers", calling(Retry=[{"ErrorEquals": [1]}]), f"{A}/Retry/0/ErrorEquals"),
    ("States.ALL not alone", calling(Retry=[{"ErrorEquals": ["States.ALL", "E"]}]), f"{A}/Retry/0/ErrorEquals"),
    (
        "States.ALL not last",
        calling(Retry=[{"ErrorEquals": ["States.ALL"]}, {"ErrorEquals": ["E"]}]),
        f"{A}/Retry/0/ErrorEquals",
    ),
    ("unknown field of a retrier", retrying(Interval=1), f"{A}/Retry/0/Interval"),
    ("IntervalSeconds of nothing", retrying(IntervalSeconds=0), f"{A}/Retry/0/IntervalSeconds"),
    ("IntervalSeconds a fraction", retrying(IntervalSeconds=1.5), f"{A}/Retry/0/IntervalSeconds"),
    ("MaxAttempts negative", retrying(MaxAttempts=-1), f"{A}/Retry/0/MaxAttempts"),
    ("MaxAttempts too many", retrying(MaxAttempts=100_000_000), f"{A}/Retry/0/MaxAttempts"),
    ("MaxAttempts a text", retrying(MaxAttempts="3"), f"{A}/Retry/0/MaxAttempts"),
    ("BackoffRate below one", retrying(BackoffRate=0.5), f"{A}/Retry/0/BackoffRate"),
    ("BackoffRate a text", retrying(BackoffRate="2"), f"{A}/Retry/0/BackoffRate"),
    ("MaxDelaySeconds too long", retrying(MaxDelaySeconds=31_622_401), f"{A}/Retry/0/MaxDelaySeconds"),
    ("MaxDelaySeconds too short", retrying(MaxDelaySeconds=5, IntervalSeconds=5), f"{A}/Retry/0/MaxDelaySeconds"),
    ("JitterStrategy", retrying(JitterStrategy="HALF"), f"{A}/Retry/0/JitterStrategy"),
    ("Catch an object", calling(Catch={}), f"{A}/Catch"),
    ("a catcher a list", calling(Catch=[[]]), f"{A}/Catch/0"),
    ("no Next", calling(Catch=[{"ErrorEquals": ["E"]}]), f"{A}/Catch/0"),
    ("Next of a catcher of no state", calling(Catch=[{"ErrorEquals": ["E"], "Next": "X"}]), f"{A}/Catch/0/Next"),
    ("Next of a catcher a number", calling(Catch=[{"ErrorEquals": ["E"], "Next": 1}]), f"{A}/Catch/0/Next"),
    ("a catcher without ErrorEquals", catching(ErrorEquals=None), f"{A}/Catch/0/ErrorEquals"),
    ("unknown field of a catcher", catching(MaxAttempts=1), f"{A}/Catch/0/MaxAttempts"),
    ("ResultPath of a catcher broken", catching(ResultPath="$.e[*]"), f"{A}/Catch/0/ResultPath"),
    ("Assign of a catcher broken", catching(Assign={"a b": 1}), f"{A}/Catch/0/Assign/a b"),
    ("Catch of Wait", waiting(Seconds=1, Catch=[]), f"{A}/Catch"),
]

CHOICES: list[Row] = [
    ("no Choices", {"StartAt": "A", "States": {"A": {"Type": "Choice", "Default": "B"}, "B": END}}, A),
    ("Choices empty", choosing(), f"{A}/Choices"),
    ("Choices an object", choosing(Choices={}), f"{A}/Choices"),
    ("a rule a text", choosing("x"), f"{A}/Choices/0"),
    ("a rule without Next", choosing({"Variable": "$.x", "IsNull": True}), f"{A}/Choices/0"),
    ("a rule's Next of no state", choosing(rule(IsNull=True, Next="X")), f"{A}/Choices/0/Next"),
    ("a rule's Next a number", choosing(rule(IsNull=True, Next=1)), f"{A}/Choices/0/Next"),
    ("Default of no state", choosing(rule(IsNull=True), Default="X"), f"{A}/Default"),
    ("Default a list", choosing(rule(IsNull=True), Default=["B"]), f"{A}/Default"),
    ("no comparison", choosing(rule()), f"{A}/Choices/0"),
    ("two comparisons", choosing(rule(IsNull=True, IsString=True)), f"{A}/Choices/0"),
    ("no Variable", choosing({"IsNull": True, "Next": "B"}), f"{A}/Choices/0"),
    ("Variable no path", choosing(rule(Variable="x", IsNull=True)), f"{A}/Choices/0/Variable"),
    ("unknown operator", choosing(rule(StringContains="x")), f"{A}/Choices/0/StringContains"),
    ("StringEquals a number", choosing(rule(StringEquals=1)), f"{A}/Choices/0/StringEquals"),
    ("StringMatches a number", choosing(rule(StringMatches=1)), f"{A}/Choices/0/StringMatches"),
    ("NumericEquals a text", choosing(rule(NumericEquals="1")), f"{A}/Choices/0/NumericEquals"),
    ("NumericEquals a boolean", choosing(rule(NumericLessThan=True)), f"{A}/Choices/0/NumericLessThan"),
    ("BooleanEquals a text", choosing(rule(BooleanEquals="true")), f"{A}/Choices/0/BooleanEquals"),
    ("TimestampEquals no time", choosing(rule(TimestampEquals="today")), f"{A}/Choices/0/TimestampEquals"),
    ("IsNull a text", choosing(rule(IsNull="true")), f"{A}/Choices/0/IsNull"),
    ("IsPresent a number", choosing(rule(IsPresent=1)), f"{A}/Choices/0/IsPresent"),
    ("StringEqualsPath no path", choosing(rule(StringEqualsPath="x")), f"{A}/Choices/0/StringEqualsPath"),
    ("And an object", choosing({"And": {}, "Next": "B"}), f"{A}/Choices/0/And"),
    ("And empty", choosing({"And": [], "Next": "B"}), f"{A}/Choices/0/And"),
    ("Or of texts", choosing({"Or": ["x"], "Next": "B"}), f"{A}/Choices/0/Or/0"),
    ("Not a list", choosing({"Not": [], "Next": "B"}), f"{A}/Choices/0/Not"),
    ("And and Or", choosing({"And": [], "Or": [], "Next": "B"}), f"{A}/Choices/0"),
    ("And and Variable", choosing(rule(And=[])), f"{A}/Choices/0"),
    ("Next inside And", choosing({"And": [rule(IsNull=True)], "Next": "B"}), f"{A}/Choices/0/And/0/Next"),
    ("unknown field of a rule", choosing(rule(IsNull=True, Then="B")), f"{A}/Choices/0/Then"),
    (
        "Assign inside And",
        choosing({"And": [{"Variable": "$", "IsNull": True, "Assign": {}}], "Next": "B"}),
        f"{A}/Choices/0/And/0/Assign",
    ),
    ("Output of a rule of JSONPath", choosing(rule(IsNull=True, Output=1)), f"{A}/Choices/0/Output"),
]

WAITS: list[Row] = [
    ("no time", waiting(), A),
    ("two times", waiting(Seconds=1, Timestamp="2020-01-01T00:00:00Z"), A),
    ("Seconds twice", waiting(Seconds=1, SecondsPath="$.a"), A),
    ("Seconds negative", waiting(Seconds=-1), f"{A}/Seconds"),
    ("Seconds a text", waiting(Seconds="1"), f"{A}/Seconds"),
    ("Seconds a fraction", waiting(Seconds=0.5), f"{A}/Seconds"),
    ("Seconds too long", waiting(Seconds=100_000_000), f"{A}/Seconds"),
    ("SecondsPath no path", waiting(SecondsPath="a"), f"{A}/SecondsPath"),
    ("Timestamp no time", waiting(Timestamp="tomorrow"), f"{A}/Timestamp"),
    ("Timestamp without offset", waiting(Timestamp="2020-01-01T00:00:00"), f"{A}/Timestamp"),
    ("Timestamp of no day", waiting(Timestamp="2020-02-30T00:00:00Z"), f"{A}/Timestamp"),
    ("TimestampPath of many", waiting(TimestampPath="$..a"), f"{A}/TimestampPath"),
]

FAILS: list[Row] = [
    ("Error a number", failing(Error=1), f"{A}/Error"),
    ("Cause an object", failing(Cause={}), f"{A}/Cause"),
    ("Error twice", failing(Error="E", ErrorPath="$.e"), A),
    ("Cause twice", failing(Cause="E", CausePath="$.e"), A),
    ("ErrorPath no path", failing(ErrorPath="e"), f"{A}/ErrorPath"),
    ("CausePath of no function", failing(CausePath="States.Nothing()"), f"{A}/CausePath"),
]

FORKS: list[Row] = [
    ("no Branches", without(forking(), "Branches"), A),
    ("Branches empty", forking(), f"{A}/Branches"),
    ("Branches an object", forking(Branches={}), f"{A}/Branches"),
    ("a branch a text", forking("x"), f"{A}/Branches/0"),
    ("a branch without States", forking({"StartAt": "I"}), f"{A}/Branches/0"),
    ("a branch without StartAt", forking({"States": {"I": END}}), f"{A}/Branches/0"),
    ("unknown field of a branch", forking({**inner(), "Version": "1.0"}), f"{A}/Branches/0/Version"),
    ("StartAt of a branch", forking({"StartAt": "X", "States": {"I": END}}), f"{A}/Branches/0/StartAt"),
    ("a state of a branch", forking(inner(Type="Pass")), f"{A}/Branches/0/States/I"),
]

MAPS: list[Row] = [
    ("no processor", without(mapping(), "ItemProcessor"), A),
    ("two processors", mapping(Iterator=inner("J")), A),
    ("a processor a list", mapping(ItemProcessor=[]), f"{A}/ItemProcessor"),
    ("unknown field of a processor", mapping(ItemProcessor={**inner(), "Mode": "INLINE"}), f"{A}/ItemProcessor/Mode"),
    (
        "ProcessorConfig a text",
        mapping(ItemProcessor={**inner(), "ProcessorConfig": "INLINE"}),
        f"{A}/ItemProcessor/ProcessorConfig",
    ),
    (
        "Mode",
        mapping(ItemProcessor={**inner(), "ProcessorConfig": {"Mode": "BOTH"}}),
        f"{A}/ItemProcessor/ProcessorConfig/Mode",
    ),
    (
        "no ExecutionType",
        mapping(ItemProcessor={**inner(), "ProcessorConfig": {"Mode": "DISTRIBUTED"}}),
        f"{A}/ItemProcessor/ProcessorConfig",
    ),
    (
        "ExecutionType",
        mapping(ItemProcessor={**inner(), "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "FAST"}}),
        f"{A}/ItemProcessor/ProcessorConfig/ExecutionType",
    ),
    (
        "ExecutionType of INLINE",
        mapping(ItemProcessor={**inner(), "ProcessorConfig": {"ExecutionType": "STANDARD"}}),
        f"{A}/ItemProcessor/ProcessorConfig/ExecutionType",
    ),
    ("MaxConcurrency negative", mapping(MaxConcurrency=-1), f"{A}/MaxConcurrency"),
    ("MaxConcurrency a text", mapping(MaxConcurrency="1"), f"{A}/MaxConcurrency"),
    ("MaxConcurrency twice", mapping(MaxConcurrency=1, MaxConcurrencyPath="$.a"), A),
    ("ItemsPath of many", mapping(ItemsPath="$.a[*]"), f"{A}/ItemsPath"),
    ("ItemSelector and Parameters", mapping(ItemSelector={}, Parameters={}), A),
    ("ItemSelector a text", mapping(ItemSelector="x"), f"{A}/ItemSelector"),
    ("ItemSelector with no path", mapping(ItemSelector={"a.$": "b"}), f"{A}/ItemSelector"),
    ("ItemReader of INLINE", mapping(ItemReader={}), f"{A}/ItemReader"),
    ("ItemBatcher of INLINE", mapping(ItemBatcher={"MaxItemsPerBatch": 1}), f"{A}/ItemBatcher"),
    ("Label of INLINE", mapping(Label="x"), f"{A}/Label"),
    ("Label too long", distributed(Label="x" * 41), f"{A}/Label"),
    ("Label with a space", distributed(Label="a b"), f"{A}/Label"),
    ("ToleratedFailureCount negative", distributed(ToleratedFailureCount=-1), f"{A}/ToleratedFailureCount"),
    (
        "ToleratedFailurePercentage over 100",
        distributed(ToleratedFailurePercentage=101),
        f"{A}/ToleratedFailurePercentage",
    ),
    (
        "ToleratedFailurePercentage twice",
        distributed(ToleratedFailurePercentage=1, ToleratedFailurePercentagePath="$.a"),
        A,
    ),
    ("ItemReader a text", distributed(ItemReader="x"), f"{A}/ItemReader"),
    ("reader without Resource", distributed(ItemReader={"ReaderConfig": {"InputType": "JSON"}}), f"{A}/ItemReader"),
    ("reader of another resource", reading(Resource="arn:aws:states:::s3:putObject"), f"{A}/ItemReader/Resource"),
    ("unknown field of a reader", reading(Foo=1), f"{A}/ItemReader/Foo"),
    ("reader without InputType", reading({}), f"{A}/ItemReader/ReaderConfig"),
    (
        "inventory with InputType",
        reading({"ManifestType": "S3_INVENTORY", "InputType": "CSV"}),
        f"{A}/ItemReader/ReaderConfig/InputType",
    ),
    ("flattened without InputType", reading({"Transformation": "LOAD_AND_FLATTEN"}), f"{A}/ItemReader/ReaderConfig"),
    ("InputType", reading({"InputType": "XML"}), f"{A}/ItemReader/ReaderConfig/InputType"),
    ("ReaderConfig a text", reading("JSON"), f"{A}/ItemReader/ReaderConfig"),
    ("unknown field of ReaderConfig", reading({"InputType": "JSON", "Limit": 1}), f"{A}/ItemReader/ReaderConfig/Limit"),
    ("headers not given", reading({"InputType": "CSV", "CSVHeaderLocation": "GIVEN"}), f"{A}/ItemReader/ReaderConfig"),
    ("headers of numbers", reading({"InputType": "CSV", "CSVHeaders": [1]}), f"{A}/ItemReader/ReaderConfig/CSVHeaders"),
    (
        "CSVHeaderLocation",
        reading({"InputType": "CSV", "CSVHeaderLocation": "LAST_ROW"}),
        f"{A}/ItemReader/ReaderConfig/CSVHeaderLocation",
    ),
    ("CSVDelimiter", reading({"InputType": "CSV", "CSVDelimiter": ","}), f"{A}/ItemReader/ReaderConfig/CSVDelimiter"),
    ("MaxItems below 0", reading({"InputType": "JSON", "MaxItems": -1}), f"{A}/ItemReader/ReaderConfig/MaxItems"),
    (
        "MaxItems twice",
        reading({"InputType": "JSON", "MaxItems": 1, "MaxItemsPath": "$.a"}),
        f"{A}/ItemReader/ReaderConfig",
    ),
    ("reader with no path", reading(Parameters={"Key.$": "x"}), f"{A}/ItemReader/Parameters"),
    ("batcher without a limit", distributed(ItemBatcher={}), f"{A}/ItemBatcher"),
    ("batcher of nothing", distributed(ItemBatcher={"MaxItemsPerBatch": 0}), f"{A}/ItemBatcher/MaxItemsPerBatch"),
    (
        "unknown field of a batcher",
        distributed(ItemBatcher={"MaxItemsPerBatch": 1, "Size": 1}),
        f"{A}/ItemBatcher/Size",
    ),
    (
        "BatchInput with no path",
        distributed(ItemBatcher={"MaxItemsPerBatch": 1, "BatchInput": {"a.$": "b"}}),
        f"{A}/ItemBatcher/BatchInput",
    ),
    ("ItemBatcher a list", distributed(ItemBatcher=[]), f"{A}/ItemBatcher"),
    ("writer of another resource", writing(Resource=INVOKE), f"{A}/ResultWriter/Resource"),
    (
        "writer without Parameters",
        distributed(ResultWriter={"Resource": "arn:aws:states:::s3:putObject"}),
        f"{A}/ResultWriter",
    ),
    ("writer of nothing", distributed(ResultWriter={}), f"{A}/ResultWriter"),
    (
        "Transformation",
        writing(WriterConfig={"Transformation": "ZIP"}),
        f"{A}/ResultWriter/WriterConfig/Transformation",
    ),
    ("OutputType", writing(WriterConfig={"OutputType": "CSV"}), f"{A}/ResultWriter/WriterConfig/OutputType"),
    ("unknown field of a writer", writing(Path="x"), f"{A}/ResultWriter/Path"),
]

INVALID: list[Row] = [
    *TEXTS,
    *TOP,
    *STATES,
    *DATA,
    *EXPRESSIONS,
    *TASKS,
    *ERRORS,
    *CHOICES,
    *WAITS,
    *FAILS,
    *FORKS,
    *MAPS,
]

EXPRESS: list[Row] = [
    (".waitForTaskToken", calling(Resource=f"{INVOKE}.waitForTaskToken"), f"{A}/Resource"),
    (".sync", calling(Resource="arn:aws:states:::batch:submitJob.sync"), f"{A}/Resource"),
    ("an activity", calling(Resource="arn:aws:states:us-east-1:1:activity:a"), f"{A}/Resource"),
    ("a distributed Map", distributed(), f"{A}/ItemProcessor/ProcessorConfig/Mode"),
]
"""What only an EXPRESS machine may not have."""
