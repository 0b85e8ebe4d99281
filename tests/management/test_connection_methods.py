"""x:Connection/get, query and set over the connections of a server of the test's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from gatepost.control.connection_report import ProxyFacts
from gatepost.management.applying import ApplyError
from gatepost.values.ids import Id

Api = Any


@pytest.fixture
def busy(api: Api) -> Api:
    """Three clients: one in SMTP, one logged in to IMAP behind a proxy, one over IPv6."""
    api.connections.add("w1-1", since=1_900_000_000.0)
    api.connections.add(
        "w2-1",
        listener_id=Id("in"),
        listener_name="imaps",
        protocol="imap",
        source="198.51.100.7:4001",
        peer="10.0.0.1:99",
        since=1_900_000_060.0,
        tls_version="TLSv1.3",
        cipher_suite="TLS_AES_128_GCM_SHA256",
        key_exchange_group="X25519MLKEM768",
        server_name="mail.example.org",
        proxy=ProxyFacts(2, "PROXY", "mail.example.org", "0a", "h2", "TLSv1.2", "AES", "client"),
        account_id=Id("id-alice"),
        login_name="alice@example.org",
        bytes_sent=5000,
        worker=2,
    )
    api.connections.add("w2-2", source="[2001:db8::7]:5000", since=1_900_000_030.0, worker=2)
    return api


async def ids(api: Api, filter_: object = None, **arguments: Any) -> list[str]:
    found: list[str] = (await api.call("x:Connection/query", filter=filter_, **arguments))["ids"]
    return found


async def test_a_connection_is_shown_with_everything_that_is_known(busy: Api) -> None:
    answer = await busy.call("x:Connection/get", ids=["w2-1", "w9-9"])
    assert answer["notFound"] == ["w9-9"]
    assert answer["list"] == [
        {
            "id": "w2-1",
            "listenerId": "in",
            "listener": "imaps",
            "protocol": "imap",
            "source": "198.51.100.7:4001",
            "destination": "192.0.2.25:25",
            "peer": "10.0.0.1:99",
            "since": "2030-03-17T17:47:40Z",
            "state": "no mail transaction",
            "tlsVersion": "TLSv1.3",
            "cipherSuite": "TLS_AES_128_GCM_SHA256",
            "keyExchangeGroup": "X25519MLKEM768",
            "serverName": "mail.example.org",
            "proxy": {
                "version": 2,
                "command": "PROXY",
                "authority": "mail.example.org",
                "uniqueId": "0a",
                "alpn": "h2",
                "tlsVersion": "TLSv1.2",
                "cipherSuite": "AES",
                "certificateName": "client",
            },
            "accountId": "id-alice",
            "account": "alice@example.org",
            "bytesReceived": 10,
            "bytesSent": 5000,
            "worker": 2,
        }
    ]


async def test_get_without_ids_gives_all_and_the_properties_that_were_asked_for(busy: Api) -> None:
    answer = await busy.call("x:Connection/get", ids=None, properties=["worker"])
    assert answer["list"] == [{"id": "w1-1", "worker": 1}, {"id": "w2-1", "worker": 2}, {"id": "w2-2", "worker": 2}]
    assert await busy.error("x:Connection/get", properties=["color"]) == "invalidArguments"


async def test_no_two_answers_are_said_to_be_of_the_same_state(busy: Api) -> None:
    answers = [await busy.call("x:Connection/query") for _ in range(2)]
    assert answers[0]["queryState"] != answers[1]["queryState"]
    assert answers[0]["canCalculateChanges"] is False


@pytest.mark.parametrize(
    ("filter_", "expected"),
    [
        (None, ["w1-1", "w2-1", "w2-2"]),
        ({"listener": "imaps"}, ["w2-1"]),
        ({"listener": "imap"}, []),
        ({"listenerId": "mx"}, ["w1-1", "w2-2"]),
        ({"protocol": "smtp"}, ["w1-1", "w2-2"]),
        ({"account": "ALICE"}, ["w2-1"]),
        ({"account": None}, ["w1-1", "w2-2"]),
        ({"source": "192.0.2.1"}, ["w1-1"]),
        ({"source": "198.51.100.7:4001"}, ["w2-1"]),
        ({"source": "198.51.100.7:400"}, []),
        ({"peer": "10.0.0.1"}, ["w2-1"]),
        ({"destination": ":25"}, ["w1-1", "w2-1", "w2-2"]),
        ({"source": "198.51.0.0/16"}, ["w2-1"]),
        ({"source": "2001:db8::/32"}, ["w2-2"]),
        ({"source": "::/0"}, ["w2-2"]),
        ({"text": "10.0.0.1"}, ["w2-1"]),
        ({"worker": 2, "protocol": "smtp"}, ["w2-2"]),
        ({"operator": "NOT", "conditions": [{"source": "0.0.0.0/0"}]}, ["w2-2"]),
        ({"operator": "OR", "conditions": [{"source": "192.0.2.0/24"}, {"protocol": "imap"}]}, ["w1-1", "w2-1"]),
    ],
)
async def test_connections_are_found_by_what_they_are(busy: Api, filter_: object, expected: list[str]) -> None:
    assert await ids(busy, filter_) == expected


@pytest.mark.parametrize("source", ["somewhere", 5, None, "192.0.2.0/33"])
async def test_a_source_that_is_no_network_is_refused(busy: Api, source: object) -> None:
    assert await busy.error("x:Connection/query", filter={"source": source}) == "invalidArguments"


async def test_they_are_sorted_and_shown_page_by_page(busy: Api) -> None:
    newest_first = [{"property": "since", "isAscending": False}]
    assert await ids(busy, sort=newest_first) == ["w2-1", "w2-2", "w1-1"]
    assert await ids(busy, sort=[{"property": "bytesSent"}], limit=1, position=2) == ["w2-1"]
    answer = await busy.call("x:Connection/query", sort=newest_first, limit=1, anchor="w2-1", anchorOffset=1)
    assert answer["ids"] == ["w2-2"]
    assert (await busy.call("x:Connection/query", limit=1, calculateTotal=True))["total"] == 3
    assert await busy.error("x:Connection/query", sort=[{"property": "proxy"}]) == "unsupportedSort"
    assert await busy.error("x:Connection/query", filter={"proxy": None}) == "unsupportedFilter"


async def test_an_address_that_nobody_could_bind_is_found_too(busy: Api) -> None:
    busy.connections.add("w3-1", source="198.51.100.9:0", peer="[fe80::1%eth0]:7")  # a PROXY header may say so
    assert await ids(busy, {"source": "198.51.100.9"}) == ["w3-1"]
    assert await ids(busy, {"peer": "fe80::1"}) == ["w3-1"]
    assert await ids(busy, {"destination": "192.0.2.25:25", "listenerId": "mx"}) == ["w1-1", "w2-2", "w3-1"]


async def test_destroying_one_ends_it(busy: Api) -> None:
    answer = await busy.call("x:Connection/set", destroy=["w2-1", "w9-9"])
    assert answer["destroyed"] == ["w2-1"]
    assert answer["notDestroyed"]["w9-9"]["type"] == "notFound"
    assert busy.connections.ended == ["w2-1"]


async def test_a_dry_run_says_whom_it_would_end_and_ends_nobody(busy: Api) -> None:
    answer = await busy.call("x:Connection/set", destroy=["w2-1", "w9-9"], dryRun=True)
    assert (answer["destroyed"], answer["notDestroyed"]["w9-9"]["type"]) == (["w2-1"], "notFound")
    (step,) = answer["dryRun"]["w2-1"]["steps"]
    assert (step["kind"], step["listener"]) == ("end", "imaps")
    assert "198.51.100.7:4001" in step["description"]
    assert busy.connections.ended == []


async def test_what_was_done_to_none_is_null(busy: Api) -> None:
    answer = await busy.call("x:Connection/set", destroy=["w9-9"])
    assert answer["destroyed"] is None  # RFC 8620 section 5.3
    assert (await busy.call("x:Connection/set", ifInState=None))["destroyed"] is None


async def test_no_state_is_that_of_now(busy: Api) -> None:
    state = (await busy.call("x:Connection/get", ids=None))["state"]
    assert await busy.error("x:Connection/set", ifInState=state, destroy=["w1-1"]) == "stateMismatch"
    assert busy.connections.ended == []


async def test_connections_can_be_neither_made_nor_changed(busy: Api) -> None:
    answer = await busy.call("x:Connection/set", create={"a": {}}, update={"w1-1": {"account": "bob"}, "w9-9": {}})
    assert answer["notCreated"]["a"]["type"] == answer["notUpdated"]["w1-1"]["type"] == "forbidden"
    assert answer["notUpdated"]["w9-9"]["type"] == "notFound"
    assert busy.connections.ended == []


async def test_who_may_see_and_who_may_end(busy: Api) -> None:
    assert await busy.error("x:Connection/get", "alice") == "forbidden"
    assert await busy.error("x:Connection/query", "alice") == "forbidden"
    assert len((await busy.call("x:Connection/get", "olga", ids=None))["list"]) == 3
    assert await busy.error("x:Connection/set", "olga", destroy=["w1-1"]) == "forbidden"
    assert busy.connections.ended == []


async def test_a_worker_that_does_not_answer_makes_no_shorter_list(busy: Api) -> None:
    busy.connections.failure = ApplyError("a worker did not say which connections it has")
    assert await busy.error("x:Connection/query") == "serverUnavailable"
    assert await busy.error("x:Connection/get") == "serverUnavailable"
    assert await busy.error("x:Connection/set", destroy=["w1-1"], dryRun=True) == "serverUnavailable"
    assert await busy.error("x:Connection/set", destroy=["w1-1"]) == "serverPartialFail"  # others may have ended theirs


async def test_there_are_limits(make_api: Callable[..., Api]) -> None:
    api = make_api(max_objects_in_get=2, max_objects_in_set=2)
    for number in range(3):
        api.connections.add(f"w1-{number}")
    assert await api.error("x:Connection/get", ids=None) == "requestTooLarge"
    assert len(await ids(api)) == 2
    assert await api.error("x:Connection/set", destroy=["a", "b", "c"]) == "requestTooLarge"
