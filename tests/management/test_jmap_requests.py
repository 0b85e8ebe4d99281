"""Requests, their limits, and result references (RFC 8620 section 3)."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.management.jmap.failure import MethodError, RequestError
from gatepost.management.jmap.i_json import parse_i_json
from gatepost.management.jmap.limits import Limits
from gatepost.management.jmap.references import ResultReferences
from gatepost.management.jmap.request import Invocation, parse_request
from gatepost.store.interface import Broken
from gatepost.telemetry import events
from gatepost.telemetry.events import Event

Api = Any
CORE = "urn:ietf:params:jmap:core"


def refusal(octets: bytes) -> RequestError:
    with pytest.raises(RequestError) as caught:
        parse_request(octets, Limits(max_calls_in_request=2, max_size_request=2000))
    return caught.value


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"{",
        b"\xff{}",
        b'{"using":[],"using":[]}',
        b'{"using":[],"methodCalls":[["Core/echo",{"a":1,"a":2},"c"]]}',
        b'{"x":NaN}',
        b'{"x":-Infinity}',
        b'{"x":1e999}',
        b'{"x":-' + b"9" * 400 + b"}",
        b'{"x":"\\ud800"}',
        b'{"\\udfff":1}',
        b"\xef\xbb\xbf{}",
        b"{} {}",
        b"[" * 1999,
    ],
)
def test_what_is_not_i_json_is_not_json_rfc7493(octets: bytes) -> None:
    assert refusal(octets).kind == "notJSON"


def test_an_integer_that_no_double_can_hold_is_refused_in_our_own_words_rfc7493_section_2_2() -> None:
    assert parse_i_json(b'{"x":' + b"9" * 300 + b"}") == {"x": int("9" * 300)}
    with pytest.raises(RequestError, match="a number is out of range"):
        parse_i_json(b'{"x":' + b"9" * 5000 + b"}")


@pytest.mark.parametrize(
    "document",
    [
        [],
        {},
        {"using": [CORE]},
        {"using": CORE, "methodCalls": []},
        {"using": [1], "methodCalls": []},
        {"using": [CORE], "methodCalls": {}},
        {"using": [CORE], "methodCalls": [["Core/echo", {}]]},
        {"using": [CORE], "methodCalls": [["Core/echo", [], "c"]]},
        {"using": [CORE], "methodCalls": [["Core/echo", {}, 1]]},
        {"using": [CORE], "methodCalls": [], "createdIds": {"a": 5}},
        {"using": [CORE], "methodCalls": [], "createdIds": {"a": "no id"}},
    ],
)
def test_what_is_json_but_no_request_is_not_request(document: object) -> None:
    assert refusal(json.dumps(document).encode()).kind == "notRequest"


def test_a_capability_of_the_registry_may_be_named_and_others_may_not() -> None:
    known = {"using": [CORE, "urn:ietf:params:jmap:mail", "urn:ietf:params:jmap:blob"], "methodCalls": []}
    assert parse_request(json.dumps(known).encode(), Limits()).calls == ()
    for name in ("urn:ietf:params:jmap:nonsense", "https://example.org/", ""):
        unknown = {"using": [CORE, name], "methodCalls": []}
        assert refusal(json.dumps(unknown).encode()).kind == "unknownCapability"


def test_limits_hold_at_and_above() -> None:
    call = ["Core/echo", {}, "c"]
    two, three = ({"using": [CORE], "methodCalls": [call] * count} for count in (2, 3))
    limits = Limits(max_calls_in_request=2, max_size_request=2000)
    assert len(parse_request(json.dumps(two).encode(), limits).calls) == 2
    error = refusal(json.dumps(three).encode())
    assert (error.kind, error.limit) == ("limit", "maxCallsInRequest")
    octets = json.dumps(two).encode()
    parse_request(octets + b" " * (2000 - len(octets)), limits)
    error = refusal(octets + b" " * (2001 - len(octets)))
    assert (error.kind, error.limit) == ("limit", "maxSizeRequest")


def test_a_problem_document_repeats_nothing_of_the_request() -> None:
    for octets in (b'{"password": hunter2}', b'{"using":["hunter2"],"methodCalls":[]}', b'"hunter2"'):
        assert "hunter2" not in json.dumps(refusal(octets).document())


@given(st.binary(max_size=200))
def test_any_octets_are_json_or_refused(octets: bytes) -> None:
    try:
        parse_i_json(octets)
    except RequestError as error:
        assert error.kind == "notJSON"


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(max_size=9),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    )
)
def test_json_comes_through_unchanged(value: object) -> None:
    assert parse_i_json(json.dumps(value).encode()) == value


# --- result references (RFC 8620 section 3.7) -----------------------------------------------------------------------

ANSWERS = [
    Invocation("Foo/query", {"ids": ["a", "b"], "list": [{"x": {"y": ["1"]}}, {"x": {"y": ["2", "3"]}}]}, "q"),
    Invocation("error", {"type": "serverFail"}, "e"),
]


def resolved(path: str, name: str = "Foo/query", call_id: str = "q") -> Any:
    reference = {"resultOf": call_id, "name": name, "path": path}
    return ResultReferences(1000).resolve({"#ids": reference, "other": 1}, ANSWERS)["ids"]


def test_paths_lead_into_answers() -> None:
    assert resolved("/ids") == ["a", "b"]
    assert resolved("/ids/1") == "b"
    assert resolved("/list/0/x/y") == ["1"]
    assert resolved("/list/*/x/y") == ["1", "2", "3"]
    assert resolved("/list/*/x/y/0") == ["1", "2"]
    assert resolved("") == ANSWERS[0].arguments


@pytest.mark.parametrize("path", ["/nothing", "/ids/2", "/ids/01", "/ids/-1", "ids", "/ids/x", "/ids/*/x", "/ids/²"])
def test_paths_that_lead_nowhere_are_refused(path: str) -> None:
    with pytest.raises(MethodError) as caught:
        resolved(path)
    assert caught.value.kind == "invalidResultReference"


@pytest.mark.parametrize(("name", "call_id"), [("Foo/get", "q"), ("Foo/query", "z"), ("Foo/query", "e")])
def test_a_reference_names_an_answer_that_is_there(name: str, call_id: str) -> None:
    with pytest.raises(MethodError) as caught:
        resolved("/ids", name, call_id)
    assert caught.value.kind == "invalidResultReference"


def test_an_argument_is_given_once() -> None:
    with pytest.raises(MethodError) as caught:
        ResultReferences(1000).resolve(
            {"ids": [], "#ids": {"resultOf": "q", "name": "Foo/query", "path": "/ids"}}, ANSWERS
        )
    assert caught.value.kind == "invalidArguments"


@pytest.mark.parametrize("value", ["x" * 398, ["x" * 197] * 2, {"name": ["x"] * 80, "other": 1}, [[[1] * 130]]])
def test_all_references_of_a_request_have_one_bound_whatever_they_lead_to(value: object) -> None:
    size = len(json.dumps(value, separators=(",", ":")))
    answers = [Invocation("Foo/get", {"list": value}, "g")]
    arguments = {"#ids": {"resultOf": "g", "name": "Foo/get", "path": "/list"}}
    references = ResultReferences(2 * size)
    for _ in range(2):
        assert references.resolve(arguments, answers) == {"ids": value}
    with pytest.raises(MethodError) as caught:
        for _ in range(3):  # what is counted is at most the size, and at least a half of it
            references.resolve(arguments, answers)
    assert caught.value.kind == "invalidResultReference"


async def test_references_that_double_an_answer_again_and_again_are_refused(make_api: Callable[..., Api]) -> None:
    api = make_api(max_size_request=50_000)
    calls: list[list[Any]] = [["Core/echo", {"a": "x" * 100}, "0"]]
    for number in range(1, 60):
        reference = {"resultOf": str(number - 1), "name": "Core/echo", "path": ""}
        calls.append(["Core/echo", {"#a": reference, "#b": reference}, str(number)])
    answer = await api.post({"using": [CORE], "methodCalls": calls}, "alice")
    assert len(answer.content) < 200_000
    names = [name for name, _, _ in answer.json()["methodResponses"]]
    assert (names[5], names[-1]) == ("Core/echo", "error")


# --- the engine -----------------------------------------------------------------------------------------------------


async def test_echo_gives_back_what_it_got_rfc8620_section_4(api: Api) -> None:
    answer = (await api.post({"using": [CORE], "methodCalls": [["Core/echo", {"a": [1, 10**30, "ä"]}, "c1"]]})).json()
    assert answer["methodResponses"] == [["Core/echo", {"a": [1, 10**30, "ä"]}, "c1"]]
    assert "createdIds" not in answer
    assert answer["sessionState"]


async def test_a_method_needs_its_capability(api: Api) -> None:
    for using in ([CORE], [CORE, "urn:gatepost:jmap"], []):
        ((name, error, _),) = await api.calls(["x:NetworkListener/get", {"ids": None}, "c"], using=using)
        assert (name, error["type"]) == ("error", "unknownMethod")
    ((name, error, _),) = await api.calls(["NetworkListener/get", {"ids": None}, "c"])
    assert (name, error["type"]) == ("error", "unknownMethod")


async def test_one_call_that_fails_leaves_the_others(api: Api) -> None:
    responses = await api.calls(["x:Domain/get", {"ids": 5}, "a"], ["x:Domain/get", {"ids": None}, "b"])
    assert [(name, call_id) for name, _, call_id in responses] == [("error", "a"), ("x:Domain/get", "b")]


async def test_a_failure_of_the_server_is_one_of_the_call(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(_: str) -> str:
        raise RuntimeError("hunter2")

    monkeypatch.setattr(api.store, "state", fail)
    responses = await api.calls(["x:Domain/get", {"ids": None}, "a"], ["Core/echo", {}, "b"])
    assert [name for name, _, _ in responses] == ["error", "Core/echo"]
    assert responses[0][1]["type"] == "serverFail"
    assert "hunter2" not in json.dumps(responses)


async def test_a_full_disk_is_one_line_of_the_log_without_traceback(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(_: str) -> str:
        raise Broken("database or disk is full")

    logged: list[tuple[Any, ...]] = []
    monkeypatch.setattr(api.store, "state", fail)
    monkeypatch.setattr(events, "error", lambda event, **values: logged.append((event, values)))
    ((_, error, _),) = await api.calls(["x:Domain/get", {"ids": None}, "a"])
    assert (error["type"], "disk" in error["description"]) == ("serverFail", False)
    assert logged == [(Event.STORE_FAILED, {"reason": "database or disk is full", "method": "x:Domain/get"})]


async def test_query_and_get_in_one_request(api: Api) -> None:
    reference = {"resultOf": "q", "name": "x:NetworkListener/query", "path": "/ids"}
    responses = await api.calls(
        ["x:NetworkListener/query", {"filter": {"protocol": "http"}}, "q"],
        ["x:NetworkListener/get", {"#ids": reference, "properties": ["name"]}, "g"],
    )
    assert [each["name"] for each in responses[1][1]["list"]] == ["web", "webs"]


async def test_created_ids_are_given_back_when_they_were_sent(api: Api) -> None:
    create = {"accountId": "id-admin", "create": {"d": {"name": "example.net"}}}
    request = {
        "using": [CORE, "urn:stalwart:jmap"],
        "methodCalls": [["x:Domain/set", create, "c"]],
        "createdIds": {"old": "org"},
    }
    assert (await api.post(request)).json()["createdIds"] == {"old": "org", "d": "new1"}


async def test_too_many_calls_are_refused_as_a_whole(make_api: Callable[..., Api]) -> None:
    api = make_api(max_calls_in_request=1)
    answer = await api.post({"using": [CORE], "methodCalls": [["Core/echo", {}, "a"], ["Core/echo", {}, "b"]]})
    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")
    assert answer.json()["type"] == "urn:ietf:params:jmap:error:limit"
    assert answer.json()["limit"] == "maxCallsInRequest"
