from __future__ import annotations

from pathlib import Path

import pytest

from cirrus.core.throttle import Limit, Rate
from cirrus.errors import ConfigError
from cirrus.settings import SECTIONS, find_project, load_project


def load(folder: Path, text: str) -> str:
    """What is wrong with a project file, "" if nothing is."""
    (folder / "cirrus.toml").write_text(text, encoding="utf-8")
    try:
        load_project(folder)
    except ConfigError as error:
        return "\n".join(error.problems)
    return ""


def test_message_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "cirrus.toml").write_text("x = 1")
    with pytest.raises(ConfigError, match=r"cirrus\.toml: x: is unknown"):
        load_project(tmp_path)


def test_empty_file_is_a_project(tmp_path: Path) -> None:
    (tmp_path / "cirrus.toml").touch()
    project = load_project(tmp_path)
    assert (project.name, project.folder) == (tmp_path.name, tmp_path)
    assert project.deployments["local"].root == tmp_path / ".cirrus" / "local"
    assert project.deployments["local"].data == str(tmp_path / "data")


def test_no_catalog(tmp_path: Path) -> None:
    assert load(tmp_path, "[deployments.local]\ncatalog = false\n") == ""
    assert load_project(tmp_path).deployments["local"].catalog is None
    told = load(tmp_path, "[deployments.local]\ncatalog = true\n")
    assert "catalog: a string that is not empty, or false for none, is expected, not True" in told


def test_file_with_everything(tmp_path: Path) -> None:
    (tmp_path / "workflows").mkdir()
    for name in ("workflows/a.asl.yaml", "other.json"):
        (tmp_path / name).touch()
    text = """
        [project]
        name = "mine"
        [tasks.one]
        handler = "tasks.mine:One"
        timeout = "15m"
        concurrency = 2
        env = { A = "1" }
        params = "one"
        [tasks.two]
        command = ["run", "{input}", "{output}"]
        [workflows.b]
        definition = "other.json"
        [deployments.prod]
        root = "state"
        data = "s3://bucket/data"
        workers = 3
        lease = 10
        events_file = "events.ndjson"
        variables = { X = "y" }
    """
    assert load(tmp_path, text) == ""
    project = load_project(tmp_path)
    assert project.name == "mine"
    assert (project.tasks["one"].timeout, project.tasks["one"].concurrency, project.tasks["one"].env) == (
        900,
        2,
        {"A": "1"},
    )
    assert project.tasks["two"].command == ("run", "{input}", "{output}")
    assert project.workflows == {"a": tmp_path / "workflows/a.asl.yaml", "b": tmp_path / "other.json"}
    prod = project.deployments["prod"]
    assert (prod.root, prod.data, prod.workers, prod.lease) == (tmp_path / "state", "s3://bucket/data", 3, 10)
    assert prod.events_file == str(tmp_path / "events.ndjson")
    assert set(project.deployments) == {"local", "prod"}


def test_limits(tmp_path: Path) -> None:
    (tmp_path / "workflows").mkdir()
    for name in ("a", "b"):
        (tmp_path / f"workflows/{name}.asl.yaml").touch()
    text = """
        [workflows.a]
        max_running = 20
        rate = "600/m"
        [workflows.b]
        [collections."sentinel-2-l2a"]
        max_running = 50
        [collections."*"]
        rate = "1.5/s"
    """
    assert load(tmp_path, text) == ""
    throttle = load_project(tmp_path).throttle
    assert throttle.workflows == {"a": Limit(20, Rate(100_000, "600/m"))}
    assert throttle.collections == {"sentinel-2-l2a": Limit(50), "*": Limit(None, Rate(1_000_000 / 1.5, "1.5/s"))}


TASK = '[tasks.t]\nhandler = "m:T"\n'


@pytest.mark.parametrize(
    ("text", "key", "expected"),
    [
        ("projekt = 1", "projekt", "did you mean project?"),
        ("zzz = 1", "zzz", "known are project, tasks, buckets, workflows, collections, deployments"),
        ("project = 1", "project", "a table is expected"),
        ("[project]\nname = 5", "project.name", "a string that is not empty is expected, not 5"),
        ('[project]\nname = ""', "project.name", "a string that is not empty is expected"),
        ("[project]\nnmae = 'x'", "project.nmae", "did you mean name?"),
        ("tasks = []", "tasks", "tables [tasks.<name>] are expected"),
        ("[tasks]\nt = 5", "tasks.t", "a table is expected, not 5"),
        ('[tasks."a b"]\nhandler = "m:T"', "tasks.a b", "letters, digits"),
        ("[tasks.t]", "tasks.t", "either handler or command is expected"),
        (f'{TASK}command = ["x", "{{input}}", "{{output}}"]', "tasks.t", "either handler or command"),
        ('[tasks.t]\nhandler = "module"', "tasks.t.handler", "'module:Name'"),
        ("[tasks.t]\nhandler = 5", "tasks.t.handler", "'module:Name'"),
        ('[tasks.t]\ncommand = "run it"', "tasks.t.command", "an array of words"),
        ('[tasks.t]\ncommand = ["run", 5]', "tasks.t.command", "an array of words"),
        ('[tasks.t]\ncommand = ["run", "{input}"]', "tasks.t.command", "that holds {output}"),
        (f'{TASK}timeout = "soon"', "tasks.t.timeout", "a duration such as '15m'"),
        (f"{TASK}timeout = 0", "tasks.t.timeout", "a duration"),
        (f"{TASK}timeout = -5", "tasks.t.timeout", "a duration"),
        (f"{TASK}timeout = true", "tasks.t.timeout", "a duration"),
        (f"{TASK}timeout = []", "tasks.t.timeout", "a duration"),
        (f"{TASK}timeout = nan", "tasks.t.timeout", "a duration"),
        (f"{TASK}timeout = inf", "tasks.t.timeout", "a duration"),
        (f"{TASK}concurrency = 0", "tasks.t.concurrency", "a whole number from 1 up"),
        (f"{TASK}concurrency = 1.5", "tasks.t.concurrency", "a whole number from 1 up"),
        (f"{TASK}concurrency = true", "tasks.t.concurrency", "a whole number from 1 up"),
        (f"{TASK}env = []", "tasks.t.env", "a table of strings"),
        (f"{TASK}env = {{ A = 1 }}", "tasks.t.env", "a table of strings"),
        (f"{TASK}timeouts = 5", "tasks.t.timeouts", "did you mean timeout?"),
        ("[workflows.w]", "workflows.w.definition", "there is no file workflows/w.asl.yaml"),
        ('[workflows.w]\ndefinition = "no.json"', "workflows.w.definition", "there is no file no.json"),
        ('[workflows.a_b]\ndefinition = "cirrus.toml"', "workflows.a_b", "never '_'"),
        ("[workflows.w]\nmax_running = 0", "workflows.w.max_running", "a whole number from 1 up"),
        ("collections = 5", "collections", "tables [collections.<name>] are expected"),
        ("[collections]\na = 50", "collections.a", "a table is expected, not 50"),
        ("[collections.a]\nmax_runing = 5", "collections.a.max_runing", "did you mean max_running?"),
        ("[collections.a]\nrate = 5", "collections.a.rate", "a rate such as '10/s'"),
        ("[collections.a]\nrate = '0/s'", "collections.a.rate", "a rate such as '10/s'"),
        ("[collections.a]\nrate = '5 per second'", "collections.a.rate", "a rate such as '10/s'"),
        ('[deployments."/x"]', "deployments./x", "letters, digits"),
        ('[deployments.d]\nhome = "moon"', "deployments.d.home", "'local', 'cluster' or 'aws'"),
        ("[deployments.d]\nhome = []", "deployments.d.home", "'local', 'cluster' or 'aws'"),
        ("[deployments.d]\nworkers = 0", "deployments.d.workers", "a whole number from 1 up"),
        ('[deployments.d]\nlease = "x"', "deployments.d.lease", "a duration"),
        ("[deployments.d]\ndata = 5", "deployments.d.data", "a string that is not empty"),
        ('[deployments.d]\ndata = "3s://x"', "deployments.d.data", "a folder or the URL of a store"),
        ('[deployments.d]\ndata = "foo://x"', "deployments.d.data", "a folder or the URL of a store"),
        ('[deployments.d]\ncatalog = "https://host/x"', "deployments.d.catalog", "a store that can be written to"),
        ('[deployments.d]\nbuckets = { b = "foo://x" }', "deployments.d.buckets", "a folder or the URL of a store"),
        ('[deployments.d]\nitems_webhook = "host/x"', "deployments.d.items_webhook", "begins with https:// or http://"),
        ('[deployments.d]\nevents_webhook = "s3://x"', "deployments.d.events_webhook", "begins with https://"),
        ("[deployments.d]\nvariables = { A = [] }", "deployments.d.variables", "a table of strings"),
        ("[deployments.d]\nworker = 1", "deployments.d.worker", "did you mean workers?"),
    ],
)
def test_wrong_key_or_value_is_named(tmp_path: Path, text: str, key: str, expected: str) -> None:
    found = load(tmp_path, text)
    assert found.startswith(f"{key}: "), found
    assert expected in found


@pytest.mark.parametrize(
    ("section", "name"), [(section, setting.name) for section, table in SECTIONS.items() for setting in table]
)
def test_every_setting_refuses_what_it_is_not(tmp_path: Path, section: str, name: str) -> None:
    head = section.replace("<name>", "x")
    more = 'handler = "m:T"\n' if section.startswith("tasks") and name not in {"handler", "command"} else ""
    found = load(tmp_path, f"[{head}]\n{more}{name} = 1979-05-27\n")
    assert f"{head}.{name}: " in found
    assert "expected" in found


@pytest.mark.parametrize(
    "place", ["data", "../data", "file:///data", "s3://bucket", "s3://bucket/prefix/", "gs://bucket/a", "az://box/a"]
)
def test_folders_and_stores(tmp_path: Path, place: str) -> None:
    assert load(tmp_path, f'[deployments.d]\ndata = "{place}"\ncatalog = "{place}"') == ""


def test_everything_that_is_wrong_is_said_at_once(tmp_path: Path) -> None:
    found = load(tmp_path, "[project]\nname = 5\n[tasks.t]\ntimeout = 0\n[deployments.d]\nhome = 'x'\n")
    assert [line.partition(":")[0] for line in found.splitlines()] == [
        *("project.name", "tasks.t.timeout", "tasks.t", "deployments.d.home")
    ]


@pytest.mark.parametrize("text", ["[project", "a = ", "x = 1\nx = 2"])
def test_file_that_is_no_toml_says_where(tmp_path: Path, text: str) -> None:
    found = load(tmp_path, text)
    assert found.startswith("cannot be read: ")
    assert "line" in found or "end of document" in found


def test_project_is_found_from_below(tmp_path: Path) -> None:
    (tmp_path / "cirrus.toml").touch()
    (tmp_path / "a" / "b").mkdir(parents=True)
    assert find_project(tmp_path / "a" / "b") == tmp_path


def test_no_project_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cirrus init"):
        find_project(tmp_path)
