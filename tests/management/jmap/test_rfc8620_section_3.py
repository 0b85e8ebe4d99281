"""RFC 8620 section 3: requests, responses, errors, references, order. What is read of a request alone is in
`test_jmap_requests.py`."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

Api = Any
CORE, CONFIGURATION = "urn:ietf:params:jmap:core", "urn:stalwart:jmap"
USING = [CORE, CONFIGURATION]
ECHO = ["Core/echo", {"a": 1}, "c"]
URN = "urn:ietf:params:jmap:error:"


async def send(api: Api, document: object) -> dict[str, Any]:
    answer = await api.post(document)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def test_3_1_the_answer_is_one_json_document(api: Api) -> None:
    answer = await api.post({"using": USING, "methodCalls": [ECHO]})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert set(answer.json()) == {"methodResponses", "sessionState"}


@pytest.mark.parametrize("content_type", ["text/plain", "application/jsonx", "application/x-www-form-urlencoded", ""])
async def test_3_1_another_content_type_is_not_json(content_type: str, api: Api) -> None:
    async with api.client() as client:
        answer = await client.post(
            "/jmap", content=json.dumps({"using": [], "methodCalls": []}), headers={"content-type": content_type},
            auth=("admin", "secret"),
        )  # fmt: skip
    assert (answer.status_code, answer.json()["type"]) == (400, f"{URN}notJSON")


async def test_3_2_the_call_id_comes_back_with_each_response(api: Api) -> None:
    calls = [["Core/echo", {}, "one"], ["No/such", {}, "two"], ["Core/echo", {}, "one"], ["Core/echo", {}, ""]]
    responses = (await send(api, {"using": USING, "methodCalls": calls}))["methodResponses"]
    assert [(name, call_id) for name, _, call_id in responses] == [
        ("Core/echo", "one"),
        ("error", "two"),
        ("Core/echo", "one"),
        ("Core/echo", ""),
    ]


async def test_3_3_only_methods_of_capabilities_in_using_are_there(api: Api) -> None:
    get = ["x:Domain/get", {"accountId": "id-admin", "ids": None}, "c"]
    without = (await send(api, {"using": [CORE], "methodCalls": [get]}))["methodResponses"]
    assert without[0][1]["type"] == "unknownMethod"
    assert without[0][1]["description"] == "this method needs urn:stalwart:jmap in using"
    both = (await send(api, {"using": USING, "methodCalls": [get]}))["methodResponses"]
    assert both[0][0] == "x:Domain/get"


async def test_3_3_members_that_nobody_knows_are_passed_over(api: Api) -> None:
    assert "methodResponses" in await send(api, {"using": USING, "methodCalls": [ECHO], "extension": 1})


async def test_3_3_created_ids_that_were_sent_can_be_referred_to(api: Api) -> None:
    request = {
        "using": USING,
        "createdIds": {"d": "org"},
        "methodCalls": [
            ["x:Account/set", {"accountId": "id-admin", "create": {"a": {"name": "bob", "domainId": "#d"}}}, "c"]
        ],
    }
    request["methodCalls"][0][1]["create"]["a"]["password"] = "x"  # type: ignore[index]
    answer = await send(api, request)
    assert answer["methodResponses"][0][1]["created"]["a"]["domainId"] == "org"
    assert answer["createdIds"] == {"d": "org", "a": "new1"}


async def test_3_4_created_ids_are_in_the_answer_only_where_they_were_in_the_request(api: Api) -> None:
    assert "createdIds" not in await send(api, {"using": USING, "methodCalls": []})
    assert (await send(api, {"using": USING, "methodCalls": [], "createdIds": {}}))["createdIds"] == {}


@pytest.mark.parametrize(
    "created_ids", [{"two words": "org"}, {"": "org"}, {"d": "two words"}, {"d": ""}, {"d": 5}, []]
)
async def test_3_3_created_ids_are_ids_for_ids(created_ids: object, api: Api) -> None:
    answer = await api.post({"using": USING, "methodCalls": [], "createdIds": created_ids})
    assert (answer.status_code, answer.json()["type"]) == (400, f"{URN}notRequest")


@pytest.mark.parametrize("name", ["position", "anchorOffset", "calculateTotal"])
async def test_3_5_null_is_no_value_of_an_argument_that_cannot_be_null(name: str, api: Api) -> None:
    assert await api.error("x:Domain/query", **{name: None}) == "invalidArguments"


async def test_3_5_an_argument_that_is_left_out_is_null(api: Api) -> None:
    everything = await api.call("x:NetworkListener/get")
    assert await api.call("x:NetworkListener/get", ids=None, properties=None) == everything
    assert await api.call("x:NetworkListener/query") == await api.call(
        "x:NetworkListener/query", filter=None, sort=None, position=0, anchor=None, anchorOffset=0, limit=None,
        calculateTotal=False,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("document", "kind", "limit"),
    [
        (b"{", "notJSON", None),
        (b'{"a":1,"a":2}', "notJSON", None),
        ({"using": USING}, "notRequest", None),
        ({"using": [*USING, "urn:example:unknown"], "methodCalls": []}, "unknownCapability", None),
        ({"using": USING, "methodCalls": [ECHO] * 3}, "limit", "maxCallsInRequest"),
        (b" " * 1001, "limit", "maxSizeRequest"),
        ({"using": USING, "methodCalls": [["Core/echo", {"a": [[]] * 50}, "c"]]}, "limit", "maxValuesInRequest"),
    ],
)
async def test_3_6_1_a_request_that_cannot_be_taken_gets_a_problem_document(
    document: object, kind: str, limit: str | None, make_api: Callable[..., Api]
) -> None:
    answer = await make_api(max_calls_in_request=2, max_size_request=1000, max_values_in_request=100).post(document)
    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")
    problem = answer.json()
    assert (problem["type"], problem["status"], problem.get("limit")) == (URN + kind, 400, limit)
    assert problem["detail"]


async def test_3_6_1_too_many_requests_at_once_are_refused_and_one_less_is_not(make_api: Callable[..., Api]) -> None:
    api = make_api(max_concurrent_requests=2)
    may_go_on, are_both_under_way = asyncio.Event(), asyncio.Event()
    under_way: list[str] = []

    async def held(name: str) -> Any:
        under_way.append(name)
        if len(under_way) == 2:
            are_both_under_way.set()
        await may_go_on.wait()
        raise RuntimeError("the test is over")

    api.store.snapshot = held
    get = {"using": USING, "methodCalls": [["x:Domain/get", {"accountId": "id-admin"}, "c"]]}
    waiting = [asyncio.create_task(api.post(get)) for _ in range(2)]
    await are_both_under_way.wait()
    refused = await api.post(get)
    assert (refused.json()["type"], refused.json()["limit"]) == (f"{URN}limit", "maxConcurrentRequests")
    assert (await api.post({"using": USING, "methodCalls": []}, "olga")).status_code == 200  # another account
    may_go_on.set()
    assert [answer.status_code for answer in await asyncio.gather(*waiting)] == [200, 200]
    assert (await api.post({"using": USING, "methodCalls": []})).status_code == 200


@pytest.mark.parametrize(
    ("name", "arguments", "kind"),
    [
        ("x:Domain/nonsense", {}, "unknownMethod"),
        ("x:Domain/copy", {}, "unknownMethod"),
        ("x:Domain/get", {"ids": 5}, "invalidArguments"),
        ("x:Domain/get", {"unknown": 5}, "invalidArguments"),
        ("x:Domain/get", {"accountId": "id-olga"}, "accountNotFound"),
        ("x:Domain/get", {"accountId": "nobody"}, "accountNotFound"),
    ],
)
async def test_3_6_2_a_call_that_fails_is_answered_with_an_error_and_the_others_go_on(
    name: str, arguments: dict[str, Any], kind: str, api: Api
) -> None:
    responses = await api.calls(["Core/echo", {}, "a"], [name, arguments, "b"], ["Core/echo", {}, "c"])
    assert [(each[0], each[2]) for each in responses] == [("Core/echo", "a"), ("error", "b"), ("Core/echo", "c")]
    assert responses[1][1]["type"] == kind


async def test_3_6_2_forbidden_is_what_the_account_may_not_do(api: Api) -> None:
    assert await api.error("x:Domain/set", "olga", create={"d": {"name": "example.net"}}) == "forbidden"


async def test_3_6_2_a_method_that_fails_has_changed_nothing(api: Api) -> None:
    before = api.store.revisions
    for arguments in ({"create": {"d": {"name": "example.net"}}, "more": 1}, {"create": 5}, {"ifInState": "no"}):
        await api.error("x:Domain/set", **arguments)
    assert api.store.revisions == before


def reference(path: str, name: str = "x:NetworkListener/get", call_id: str = "g") -> dict[str, str]:
    return {"resultOf": call_id, "name": name, "path": path}


async def test_3_7_a_star_goes_through_arrays_and_the_result_is_flat(api: Api) -> None:
    await api.call("x:NetworkListener/set", update={"mx": {"bind": ["[::]:25", "[::]:2525"]}})
    _, echo = await api.calls(
        ["x:NetworkListener/get", {"ids": ["mx", "web"]}, "g"],
        ["Core/echo", {"#ids": reference("/list/*/id"), "#all": reference("/list"), "#none": reference("/notFound/*/x")}, "e"],
    )  # fmt: skip
    assert echo[1]["ids"] == ["mx", "web"]
    assert [each["id"] for each in echo[1]["all"]] == ["mx", "web"]
    assert echo[1]["none"] == []


async def test_3_7_references_lead_through_several_calls(api: Api) -> None:
    """As in the example of the RFC: a query, the objects found, and what they point to."""
    responses = await api.calls(
        ["x:Account/query", {"filter": {"role": "user"}}, "q"],
        ["x:Account/get", {"#ids": reference("/ids", "x:Account/query", "q"), "properties": ["domainId"]}, "a"],
        ["x:Domain/get", {"#ids": reference("/list/*/domainId", "x:Account/get", "a"), "properties": ["name"]}, "d"],
    )
    assert responses[2][1]["list"] == [{"id": "org", "name": "example.org"}]


async def test_3_7_what_changed_can_be_fetched_in_the_same_request(api: Api) -> None:
    since = (await api.call("x:Domain/get", ids=[]))["state"]
    await api.call("x:Domain/set", create={"d": {"name": "example.net"}})
    changes = "x:Domain/changes"
    responses = await api.calls(
        [changes, {"sinceState": since}, "c"],
        ["x:Domain/get", {"#ids": reference("/created", changes, "c"), "properties": ["name"]}, "g"],
    )
    assert [each["name"] for each in responses[1][1]["list"]] == ["example.net"]


async def test_3_7_the_state_of_an_answer_can_be_the_condition_of_a_change(api: Api) -> None:
    get, first, second = await api.calls(
        ["x:Domain/get", {"ids": []}, "g"],
        ["x:Domain/set", {"#ifInState": reference("/state", "x:Domain/get"), "destroy": ["nothing"]}, "s"],
        ["x:Domain/set", {"#ifInState": reference("/newState", "x:Domain/set", "s"), "create": {}}, "t"],
    )
    assert first[1]["oldState"] == second[1]["oldState"] == get[1]["state"]


@pytest.mark.parametrize(
    "wrong",
    [
        reference("/list/*/name", "x:NetworkListener/query"),
        reference("/list", call_id="later"),
        reference("/list/99/name"),
        reference(f"/list/{5000 * '9'}/name"),
        reference("list"),
        reference("/list~2"),
        reference("/list/~"),
        {"resultOf": "g"},
        5,
        None,
    ],
)
async def test_3_7_a_reference_that_cannot_be_resolved_is_invalid(wrong: object, api: Api) -> None:
    _, error = await api.calls(["x:NetworkListener/get", {"ids": None}, "g"], ["Core/echo", {"#x": wrong}, "e"])
    assert (error[0], error[1]["type"]) == ("error", "invalidResultReference")


async def test_3_7_an_argument_both_as_itself_and_as_a_reference_is_refused(api: Api) -> None:
    _, error = await api.calls(
        ["x:NetworkListener/get", {"ids": None}, "g"],
        ["x:NetworkListener/get", {"ids": None, "#ids": reference("/list/*/id")}, "h"],
    )
    assert error[1]["type"] == "invalidArguments"


async def test_3_7_of_several_responses_with_the_call_id_the_first_one_counts(api: Api) -> None:
    _, _, error, echo = await api.calls(
        ["Core/echo", {"n": 1}, "g"],
        ["x:NetworkListener/get", {"ids": []}, "g"],
        ["Core/echo", {"#x": reference("/list")}, "e"],
        ["Core/echo", {"#x": reference("/n", "Core/echo")}, "e"],
    )
    assert error[1]["type"] == "invalidResultReference"
    assert echo[1]["x"] == 1


async def test_3_7_a_reference_may_not_point_at_an_error(api: Api) -> None:
    _, error = await api.calls(
        ["x:NetworkListener/get", {"ids": 5}, "g"], ["Core/echo", {"#x": reference("/type")}, "e"]
    )
    assert error[1]["type"] == "invalidResultReference"


async def test_3_10_calls_are_carried_out_one_after_the_other_in_order(api: Api) -> None:
    name = "x:Domain/set"
    responses = await api.calls(
        [name, {"create": {"d": {"name": "one.example"}}}, "1"],
        ["x:Domain/query", {"filter": {"name": "one.example"}}, "2"],
        [name, {"destroy": ["#d"]}, "3"],
        ["x:Domain/query", {"filter": {"name": "one.example"}}, "4"],
    )
    created = responses[0][1]["created"]["d"]["id"]
    assert [each[1].get("ids") for each in responses] == [None, [created], None, []]


async def test_4_echo_gives_back_exactly_what_it_got(api: Api) -> None:
    arguments = {"hello": True, "high": 5, "deep": {"list": [None, 1.5, "ü", {}, []], "": ""}, "accountId": "x"}
    answer = await send(api, {"using": [CORE], "methodCalls": [["Core/echo", arguments, "b3ff"]]})
    assert answer["methodResponses"] == [["Core/echo", arguments, "b3ff"]]
