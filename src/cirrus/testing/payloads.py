"""What every backend of the port Payloads does: inherit `PayloadsContract` and give it a fixture `payloads`.

A backend whose bodies stand in the state database gives `connect`; its Payloads are those of a connection.
"""

from __future__ import annotations

import pytest

from cirrus.core.keys import batch_key, batch_output_key, input_key, output_key, oversized_key
from cirrus.core.payload import reference
from cirrus.errors import NotFound
from cirrus.ports.payloads import Payloads
from cirrus.testing.builders import ODD_IDS, begin, ending, finish
from cirrus.testing.ports import Ports, PortsContract

ROOT = "cirrus"
BODIES = (b"", b"{}", b"\x00\xff", "ü東".encode(), b"x" * 5_000_000)
KEYS = (
    oversized_key(ROOT, "0f1e"),
    *(key for known in ODD_IDS for key in (batch_key(ROOT, known, "n"), batch_output_key(batch_key(ROOT, known, "n")))),
)


class PayloadsContract(PortsContract):
    """The promises of the port."""

    @pytest.fixture
    def payloads(self, ports: Ports) -> Payloads:
        """The store under test."""
        return ports.payloads

    @pytest.mark.parametrize("body", BODIES, ids=lambda body: str(len(body)))
    def test_what_is_put_is_got(self, payloads: Payloads, body: bytes) -> None:
        url = payloads.put(KEYS[0], body)
        assert url == payloads.url(KEYS[0])
        assert payloads.get(url) == body

    def test_second_put_replaces_the_first(self, payloads: Payloads) -> None:
        payloads.put(KEYS[0], b"a longer first body")
        assert payloads.get(payloads.put(KEYS[0], b"second")) == b"second"

    def test_every_key_is_its_own(self, payloads: Payloads) -> None:
        urls = [payloads.put(key, b"%d" % n) for n, key in enumerate(KEYS)]
        assert len(set(urls)) == len(KEYS)
        assert [payloads.get(url) for url in urls] == [b"%d" % n for n in range(len(KEYS))]

    def test_many_are_got_at_once(self, payloads: Payloads) -> None:
        urls = [payloads.put(key, b"%d" % n) for n, key in enumerate(KEYS)]
        missing = payloads.url("cirrus/tmp/batch/no/such.json")
        assert payloads.get_many([urls[1], missing, urls[0], urls[1]]) == [b"1", None, b"0", b"1"]
        assert payloads.get_many(urls * 30) == [b"%d" % n for n in range(len(KEYS))] * 30
        assert payloads.get_many([]) == []

    @pytest.mark.parametrize("key", KEYS, ids=lambda key: f"{key[:40]!a}-{len(key)}")
    def test_url_names_its_key(self, payloads: Payloads, key: str) -> None:
        url = payloads.put(key, b"first")
        assert payloads.owns(url)
        assert payloads.url(payloads.key(url)) == url
        assert payloads.put(payloads.key(url), b"second") == url
        assert payloads.get(url) == b"second"
        assert payloads.get(payloads.url(key)) == b"second"

    @pytest.mark.parametrize("key", KEYS[:3])
    def test_plain_keys_come_back_as_they_were(self, payloads: Payloads, key: str) -> None:
        assert payloads.key(payloads.url(key)) == key

    def test_url_travels_in_a_document(self, payloads: Payloads) -> None:
        url = payloads.url(KEYS[0])
        assert "://" in url
        assert reference({"url": url}) == url

    @pytest.mark.parametrize("key", KEYS, ids=lambda key: f"{key[:40]!a}-{len(key)}")
    def test_what_is_not_there_is_not_found(self, payloads: Payloads, key: str) -> None:
        with pytest.raises(NotFound):
            payloads.get(payloads.url(key))

    @pytest.mark.parametrize("url", ["s3://elsewhere/cirrus/x.json", "https://example.com/x.json", "", "cirrus", "/x"])
    def test_other_urls_are_not_ours(self, payloads: Payloads, url: str) -> None:
        assert not payloads.owns(url)

    def test_url_of_a_longer_root_is_not_ours(self, payloads: Payloads) -> None:
        base = payloads.url("k").removesuffix("/k")
        assert not payloads.owns(f"{base}2/k")


class HistoryContract(PortsContract):
    """For a backend whose payload store also gives the bodies that its state database keeps."""

    @pytest.mark.parametrize("known", ODD_IDS, ids=lambda known: f"{known[:40]!a}-{len(known)}")
    def test_bodies_of_an_execution_stand_under_their_keys(self, ports: Ports, known: str) -> None:
        record = begin(ports.state_db, known, owner="o", input=b'{"in":1}')
        ports.state_db.conclude([ending(record, output=b'{"out":1}')])
        (execution_id,) = record.executions
        url = ports.payloads.url
        assert ports.payloads.get(url(input_key(ROOT, known, execution_id))) == b'{"in":1}'
        assert ports.payloads.get(url(output_key(ROOT, known, execution_id))) == b'{"out":1}'

    def test_many_bodies_of_executions(self, ports: Ports) -> None:
        ends = [begin(ports.state_db, known, owner="o", input=b"%d" % n) for n, known in enumerate(ODD_IDS)]
        ports.state_db.conclude([ending(record, output=b"out") for record in ends])
        keys = [input_key(ROOT, one.payload_id, one.executions[0]) for one in ends]
        foreign = input_key(ROOT, ODD_IDS[1], ends[0].executions[0])
        out = output_key(ROOT, ODD_IDS[2], ends[2].executions[0])
        urls = [ports.payloads.url(key) for key in (*keys, foreign, out)]
        assert ports.payloads.get_many(urls) == [*(b"%d" % n for n in range(len(ends))), None, b"out"]

    def test_output_of_a_run_without_one_is_not_found(self, ports: Ports) -> None:
        (execution_id,) = finish(ports.state_db, ODD_IDS[0]).executions
        with pytest.raises(NotFound):
            ports.payloads.get(ports.payloads.url(output_key(ROOT, ODD_IDS[0], execution_id)))

    def test_execution_under_another_id_is_not_found(self, ports: Ports) -> None:
        (execution_id,) = finish(ports.state_db, ODD_IDS[0]).executions
        with pytest.raises(NotFound):
            ports.payloads.get(ports.payloads.url(input_key(ROOT, ODD_IDS[1], execution_id)))
