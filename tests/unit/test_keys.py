from __future__ import annotations

import hashlib
from pathlib import Path
from urllib.parse import quote, unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cirrus.core import keys
from cirrus.errors import InvalidPayload

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
ID = TEXT | st.builds(lambda text, n: text * n, TEXT, st.integers(1, 400))
COMPONENT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="/"))
LONG_COMPONENT = COMPONENT | st.builds(lambda text, n: text * n, COMPONENT, st.integers(1, 200))


def test_keys_of_the_specification() -> None:
    known = "c/workflow-w/a/b"
    assert keys.input_key("cirrus", known, "e") == "cirrus/executions/c/workflow-w/a/b/e/input.json"
    assert keys.output_key("cirrus", known, "e") == "cirrus/executions/c/workflow-w/a/b/e/output.json"
    assert keys.oversized_key("cirrus", "n") == "cirrus/tmp/oversized/n.json"
    assert keys.batch_key("cirrus", known, "n") == "cirrus/tmp/batch/c/workflow-w/a/b/n.json"
    assert keys.batch_output_key(keys.batch_key("r", known, "n")) == "r/tmp/batch/c/workflow-w/a/b/n_out.json"
    assert keys.invalid_key("cirrus", "n") == "cirrus/tmp/invalid/n.json"


@pytest.mark.parametrize("length", [899, 900])
def test_id_that_fits_is_its_key(length: int) -> None:
    assert keys.id_key("x" * length) == "x" * length


def test_id_that_is_too_long_is_cut_at_a_character() -> None:
    for known in ("x" * 901, "é" * 451, "x" + "東" * 300, "🛰" * 226):
        key = keys.id_key(known)
        head, mark, digest = key.rpartition("~")
        assert mark == "~"
        assert known.startswith(head)
        assert 796 < len(head.encode()) <= 800
        assert digest == hashlib.sha256(known.encode()).hexdigest()


@given(ID)
def test_every_key_fits(known: str) -> None:
    assert len(keys.id_key(known).encode()) <= 900
    assert len(keys.batch_key("cirrus", known, "0" * 36).encode()) < 1024


@given(st.sets(ID, min_size=2, max_size=6), st.integers(0, 400))
def test_different_ids_have_different_keys(ids: set[str], padding: int) -> None:
    longer = ids | {known + "x" * padding * 3 for known in ids}
    assert len({keys.id_key(known) for known in longer}) == len(longer)


@given(ID, st.uuids())
def test_key_of_an_execution_says_which(known: str, execution_id: object) -> None:
    name = str(execution_id)
    for body, make in (("input", keys.input_key), ("output", keys.output_key)):
        found = keys.named_execution(make("cirrus", known, name))
        if keys.id_key(known):
            assert found == (keys.id_key(known), name, body)
    assert keys.named_invalid(keys.invalid_key("cirrus", name)) == name
    assert keys.named_execution(keys.oversized_key("cirrus", name)) is None
    assert keys.named_invalid(keys.oversized_key("cirrus", name)) is None


# -------------------------------------------------------------------- on a file system


@given(LONG_COMPONENT)
def test_component_is_safe_on_any_file_system(text: str) -> None:
    name = keys.file_component(text)
    assert 0 < len(name.encode()) <= 250
    assert name.isascii()
    assert not set(name) & set('/\\:*?"<>|\0') | {c for c in name if ord(c) < 32}
    assert name not in {".", ".."}
    assert not name.endswith((".", " "))
    assert name.split(".")[0].strip().lower() not in {"con", "prn", "aux", "nul", "com1", "lpt9"}


@given(LONG_COMPONENT)
def test_component_is_as_it_is_or_comes_back(text: str) -> None:
    name = keys.file_component(text)
    assert keys.file_component(keys.from_file_key(name)) == name
    if len(name) <= 120:
        assert keys.from_file_key(name) == text


@pytest.mark.parametrize("text", ["S2A_MSIL2A_20200518T100031", "a-b.c", "LC08 (x)", "a~b", "tile=32TLS,v1"])
def test_plain_component_is_as_it_is(text: str) -> None:
    assert keys.file_component(text) == text


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("", "%"),
        (".", "%2E"),
        ("..", "%2E%2E"),
        ("con", "%63on"),
        ("CON.txt", "%43ON.txt"),
        ("a/b", "a%2Fb"),
        ("a:b", "a%3Ab"),
        ("a%2Fb", "a%252Fb"),
        ("ü", "%C3%BC"),
        ("end.", "end%2E"),
        ("end ", "end%20"),
        ("nul\n", "nul%0A"),
    ],
)
def test_unsafe_component_is_encoded(text: str, name: str) -> None:
    assert keys.file_component(text) == name
    assert text == "" or unquote(name) == text


@given(st.sets(LONG_COMPONENT, min_size=2, max_size=8))
def test_different_components_have_different_names(texts: set[str]) -> None:
    assert len({keys.file_component(text) for text in texts}) == len(texts)


@given(st.sets(LONG_COMPONENT | st.sampled_from(["catalog", "Catalog", "~63atalog", "a/b", "a~2Fb"]), min_size=2))
def test_component_of_a_link_is_safe_and_its_own(texts: set[str]) -> None:
    names = {keys.link_component(text) for text in texts}
    assert len(names) == len(texts)
    for name in names:
        assert 0 < len(name) <= 200
        assert quote(name, safe="!$&'()+,;=@") == name
        assert name.lower() not in {"catalog", "collection", ".", ".."}


@pytest.mark.parametrize("text", ["con." + "x" * 500, "東" * 500, "." * 500, " " * 500, "x" * 119 + "é" * 50])
def test_long_component_is_cut(text: str) -> None:
    name = keys.file_component(text)
    assert len(name) <= 200
    assert keys.file_component(keys.from_file_key(name)) == name


@given(TEXT)
def test_file_key_never_leaves_its_root(key: str) -> None:
    root = Path("/root/of/all")
    path = root / keys.file_key(key)
    assert path.is_relative_to(root)
    assert ".." not in path.parts
    assert len(path.parts) == len(root.parts) + key.count("/") + 1


def test_ids_that_would_escape_are_refused_before_they_become_keys() -> None:
    from cirrus.core.payload_id import parse

    for known in ("../workflow-w/x", "a/workflow-w/..", "/a/workflow-w/x", "a/workflow-w/x/../../../../etc"):
        with pytest.raises(InvalidPayload):
            parse(known)
