from __future__ import annotations

import base64
import html
import json
import re
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cirrus.adapters.local.log_buffer import LogBuffer
from cirrus.core.scrub import Scrubber, telling

SECRET = 'wJal/rXU+tnF=EM"I <K7&MD\\EN'
OTHER = "wJal/rXU-other"
SCRUBBER = Scrubber([SECRET, OTHER])


@pytest.mark.parametrize(
    "form",
    [
        SECRET,
        json.dumps({"key": SECRET}),
        repr(SECRET),
        quote(SECRET),
        quote(SECRET, safe=""),
        re.sub("%..", lambda escape: escape[0].lower(), quote(SECRET, safe="")),
        quote_plus(SECRET),
        html.escape(SECRET),
        base64.b64encode(SECRET.encode()).decode(),
        base64.b64encode(f"u:{SECRET}".encode()).decode(),
        base64.urlsafe_b64encode(f"user:{SECRET}\n".encode()).decode(),
    ],
)
def test_every_form_is_masked(form: str) -> None:
    masked = SCRUBBER.text(f"before {form} after")
    assert masked.startswith("before ")
    assert masked.endswith(" after")
    assert "***" in masked
    assert not any(part in masked for part in ("rXU", "tnF", form[4:-4]))


def test_other_text_is_left_alone() -> None:
    text = "wJal is no secret, nor is *** or Mü\udc80nchen"
    assert SCRUBBER.text(text) == text
    assert Scrubber().text(text) == text


def test_short_values_are_left_alone() -> None:
    assert not Scrubber(["", "admin"])


def test_the_lines_of_a_private_key_are_masked_one_by_one() -> None:
    lines = ["-----BEGIN PRIVATE KEY-----", "MIIEvQIBADANBgkqhkiG9w0BAQEF", "AASCBKcwggSjAgEAAoIBAQC7VJTU"]
    key = "\n".join([*lines, "-----END PRIVATE KEY-----\n"])
    printed = Scrubber([key]).text("got MIIEvQIBADANBgkqhkiG9w0BAQEF and " + json.dumps(key))
    assert printed == 'got *** and "***"'


@given(st.lists(st.integers(0, 40), max_size=12), st.sampled_from([SECRET, OTHER, SECRET[:-1], "wJwJal/rX"]))
def test_a_stream_gives_the_same_however_it_is_cut(cuts: list[int], middle: str) -> None:
    text = f"aw{middle}wJal{SECRET}{OTHER} end wJal/rXU".encode()
    got = bytearray()
    stream = SCRUBBER.stream(got.extend)
    at = 0
    for size in cuts:
        stream.write(text[at : at + size])
        at += size
    stream.write(text[at:])
    stream.flush()
    assert bytes(got) == SCRUBBER.data(text)
    assert SECRET.encode() not in got


def test_a_stream_holds_back_no_more_than_it_must() -> None:
    got = bytearray()
    stream = SCRUBBER.stream(got.extend)
    stream.write(b"12 of 100 done w")
    assert bytes(got) == b"12 of 100 done "
    stream.write(b"ow.")
    assert bytes(got) == b"12 of 100 done wow."


def test_a_log_cut_in_the_middle_of_a_secret_shows_no_half_of_it() -> None:
    log = LogBuffer(keep=16, scrubber=SCRUBBER)
    for character in f"{'x' * 10}{SECRET}{'y' * 50}{SECRET}zz".encode():
        log.write(bytes([character]))
    assert log.take_new().startswith(b"xxxxxxxxxx***yyy\n[...")
    assert log.getvalue().endswith(b"y***zz")


def test_variables_tell_by_their_names_what_is_secret() -> None:
    variables = {"EARTHDATA_PASSWORD": "one", "AWS_SECRET_ACCESS_KEY": "two", "GITHUB_TOKEN": "three", "X_API_KEY": "4"}
    others = {"HOME": "a", "AWS_SHARED_CREDENTIALS_FILE": "b", "GOOGLE_APPLICATION_CREDENTIALS": "c", "PATH": "d"}
    assert telling(variables | others) == set(variables.values())
