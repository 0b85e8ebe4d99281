"""The paths of the management API: who gets in, and what is answered."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.management.conftest import USING

from gatepost.management.web_session import LIFETIME

Api = Any
API_PAGE = (Path(__file__).parents[2] / "docs" / "api.md").read_text(encoding="utf-8")
JSON = {"content-type": "application/json"}
ECHO = b'{"using":["urn:ietf:params:jmap:core"],"methodCalls":[["Core/echo",{},"c"]]}'
AUTH = {"authorization": "Basic YWRtaW46c2VjcmV0"}  # admin:secret


async def sign_in(client: httpx.AsyncClient, user: str = "admin", password: str = "secret") -> httpx.Response:
    return await client.post("/api/login", json={"user": user, "password": password})


# --- credentials ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/jmap/session", "/api/account", "/api/schema", "/api/schema/x"])
async def test_without_credentials_both_challenges_are_given(path: str, api: Api) -> None:
    async with api.client() as client:
        answer = await client.get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (401, "application/problem+json")
    assert [each.split()[0] for each in answer.headers.get_list("www-authenticate")] == ["Basic", "Bearer"]
    assert "no-store" in answer.headers["cache-control"]


async def test_a_script_of_a_page_gets_no_challenge_that_opens_a_password_window(api: Api) -> None:
    async with api.client() as client:
        answer = await client.get("/api/account", headers={"sec-fetch-mode": "cors"})
    assert [each.split()[0] for each in answer.headers.get_list("www-authenticate")] == ["Bearer"]


@pytest.mark.parametrize(
    "header",
    ["Basic YWRtaW46d3Jvbmc=", "Basic !!!", "Basic YWRtaW4=", "Basic /w==", "Bearer abc", "Digest x", "nonsense", ""],
)
async def test_credentials_that_are_not_right_are_refused_alike(header: str, api: Api) -> None:
    async with api.client() as client:
        assert (await client.get("/jmap/session", headers={"authorization": header})).status_code == 401


async def test_an_overloaded_authenticator_asks_to_come_back(api: Api) -> None:
    api.authenticator.is_overloaded = True
    async with api.client() as client:
        answer = await client.get("/jmap/session", headers=AUTH)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")


@pytest.mark.parametrize("second", ["Basic eDp5", "Bearer x", AUTH["authorization"]])
async def test_credentials_of_two_are_those_of_nobody(api: Api, second: str) -> None:
    for both in ((AUTH["authorization"], second), (second, AUTH["authorization"])):
        async with api.client() as client:
            answer = await client.get("/jmap/session", headers=[("authorization", each) for each in both])
        assert answer.status_code == 400


async def test_the_authenticator_is_told_the_true_source_address(api: Api) -> None:
    async with api.client(source="::ffff:127.0.0.9") as client:
        await client.get(
            "/jmap/session", headers={**AUTH, "x-forwarded-for": "192.0.2.1", "forwarded": "for=192.0.2.1"}
        )
    assert str(api.authenticator.peers[0].source_address) == "127.0.0.9"


async def test_credentials_over_clear_http_are_refused_with_the_address_to_use(api: Api) -> None:
    async with api.client(source="192.0.2.7", base_url="http://mail.example.org:8080") as client:
        for answer in (await client.get("/jmap/session", headers=AUTH), await sign_in(client)):
            assert answer.status_code == 403
            assert "https://mail.example.org:8443/" in answer.json()["detail"]
    assert api.authenticator.peers == []


async def test_a_forwarded_header_makes_nobody_local(api: Api) -> None:
    async with api.client(source="192.0.2.7") as client:
        headers = {**AUTH, "x-forwarded-for": "127.0.0.1", "x-forwarded-proto": "https"}
        assert (await client.get("/jmap/session", headers=headers)).status_code == 403


async def test_credentials_over_clear_http_are_taken_where_that_is_allowed(api: Api) -> None:
    await api.call("x:SystemSettings/set", update={"singleton": {"allowClearHttpLogin": True}})
    async with api.client(source="192.0.2.7") as client:
        assert (await client.get("/jmap/session", headers=AUTH)).status_code == 200


async def test_credentials_over_tls_are_taken_from_anywhere(api: Api) -> None:
    async with api.client(source="192.0.2.7", base_url="https://mail.example.org:8443") as client:
        assert (await client.get("/jmap/session", headers=AUTH)).status_code == 200


# --- the web session ------------------------------------------------------------------------------------------------


async def test_a_browser_signs_in_works_and_signs_out(api: Api) -> None:
    async with api.client() as client:
        signed_in = await sign_in(client)
        assert signed_in.status_code == 200
        cookie = signed_in.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=strict" in cookie
        assert "secure" not in cookie.replace("gatepost_session", "")
        token = signed_in.json()["csrfToken"]
        account = (await client.get("/api/account")).json()
        assert (account["csrfToken"], account["name"], account["role"]) == (token, "admin", "admin")
        assert [name for name in account if f"`{name}`" not in API_PAGE] == []
        headers = {**JSON, "x-csrf-token": token}
        assert (await client.post("/jmap/", content=ECHO, headers=headers)).status_code == 200
        signed_out = await client.post("/api/logout", headers={"x-csrf-token": token})
        assert signed_out.status_code == 204
        assert (await client.get("/api/account")).status_code == 401


async def test_the_cookie_is_secure_on_tls(api: Api) -> None:
    async with api.client(base_url="https://mail.example.org:8443") as client:
        assert "; secure" in (await sign_in(client)).headers["set-cookie"].lower()


@pytest.mark.parametrize("token", [None, "", "wrong"])
async def test_an_unsafe_request_with_a_cookie_needs_the_csrf_token(token: str | None, api: Api) -> None:
    async with api.client() as client:
        await sign_in(client)
        headers = JSON if token is None else {**JSON, "x-csrf-token": token}
        assert (await client.post("/jmap", content=ECHO, headers=headers)).status_code == 403
        assert (await client.post("/api/logout", headers=headers)).status_code == 403


async def test_a_session_ends(api: Api) -> None:
    async with api.client() as client:
        await sign_in(client)
        api.now += LIFETIME - timedelta(seconds=1)
        assert (await client.get("/api/account")).status_code == 200
        api.now += timedelta(seconds=1)
        assert (await client.get("/api/account")).status_code == 401


async def test_a_new_password_that_was_not_set_in_it_ends_a_session(api: Api) -> None:
    async with api.client() as client:
        await sign_in(client, "alice")
        assert (await client.get("/api/account")).json()["name"] == "alice@example.org"
        await api.call("x:Account/set", "alice", update={"id-alice": {"password": "other"}})
        assert (await client.get("/api/account")).status_code == 401


async def post_set(client: httpx.AsyncClient, account_id: str, update: dict[str, Any], **more: Any) -> httpx.Response:
    """An x:Account/set of who is signed in as `account_id`."""
    token = (await client.get("/api/account")).json()["csrfToken"]
    call = ["x:Account/set", {"accountId": account_id, "update": update, **more}, "0"]
    answer = await client.post("/jmap", json={"using": USING, "methodCalls": [call]}, headers={"x-csrf-token": token})
    assert answer.json()["methodResponses"][0][1]["notUpdated"] is None, answer.text
    return answer


async def test_a_session_that_sets_the_own_password_goes_on_and_the_others_end(api: Api) -> None:
    async with api.client() as client, api.client() as other:
        token = (await sign_in(client, "alice")).json()["csrfToken"]
        await sign_in(other, "alice")
        old = client.cookies["gatepost_session"]
        api.now += timedelta(hours=5)
        answer = await post_set(client, "id-alice", {"id-alice": {"password": "other"}})
        assert f"max-age={7 * 3600};" in answer.headers["set-cookie"].lower()  # it lasts no longer than it would have
        assert (await client.get("/api/account")).json()["csrfToken"] == token
        assert (await other.get("/api/account")).status_code == 401
        signed_out = await client.post("/api/logout", headers={"x-csrf-token": token})
        assert signed_out.status_code == 204
        for cookie in (old, answer.cookies["gatepost_session"]):
            client.cookies.clear()
            headers = {"cookie": f"gatepost_session={cookie}"}
            assert (await client.get("/api/account", headers=headers)).status_code == 401


@pytest.mark.parametrize(
    ("update", "more"),
    [
        ({"id-admin": {"description": "me"}}, {}),
        ({"id-admin": {"password": "other"}}, {"dryRun": True}),
        ({"id-alice": {"password": "other"}}, {}),
    ],
)
async def test_nothing_else_gives_a_session_a_new_cookie(
    update: dict[str, Any], more: dict[str, Any], api: Api
) -> None:
    async with api.client() as client:
        await sign_in(client)
        assert "set-cookie" not in (await post_set(client, "id-admin", update, **more)).headers
        assert (await client.get("/api/account")).status_code == 200


async def test_an_api_key_outlives_a_new_password_and_goes_with_the_account(api: Api) -> None:
    created = await api.call("x:ApiKey/set", create={"k": {"name": "k", "accountId": "id-alice"}})
    headers = {"authorization": f"Bearer {created['created']['k']['secret']}"}
    async with api.client() as client:
        await api.call("x:Account/set", update={"id-alice": {"password": "other"}})
        assert (await client.get("/api/account", headers=headers)).status_code == 200
        await api.call("x:Account/set", destroy=["id-alice"])
        assert (await client.get("/api/account", headers=headers)).status_code == 401


@pytest.mark.parametrize(
    "cookie", ["", "x", "id-admin.9999999999.x", "id-admin.99999999999999.x", "..", "id-admin.²2222.x"]
)
async def test_a_cookie_that_was_made_elsewhere_is_refused(cookie: str, api: Api) -> None:
    async with api.client() as client:
        headers = [(b"cookie", f"gatepost_session={cookie}".encode())]
        assert (await client.get("/api/account", headers=headers)).status_code == 401


async def test_a_cookie_of_one_account_is_none_of_another(api: Api) -> None:
    async with api.client() as client:
        await sign_in(client, "alice")
        forged = client.cookies["gatepost_session"].replace("id-alice", "id-admin")
        client.cookies.clear()
        headers = {"cookie": f"gatepost_session={forged}"}
        assert (await client.get("/api/account", headers=headers)).status_code == 401


async def test_a_sign_in_that_is_wrong_or_of_the_wrong_form(api: Api) -> None:
    async with api.client() as client:
        assert (await sign_in(client, password="wrong")).status_code == 401
        assert (await client.post("/api/login", json={"user": "admin"})).status_code == 400
        assert (await client.post("/api/login", data={"user": "admin", "password": "secret"})).status_code == 400
        assert (await client.post("/api/login", content=b" " * 20_000, headers=JSON)).status_code == 400


# --- JMAP over HTTP -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/jmap", "/jmap/", "/api"])
async def test_the_api_stands_under_three_paths(path: str, api: Api) -> None:
    async with api.client() as client:
        answer = await client.post(path, content=ECHO, headers={**JSON, **AUTH})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert "no-store" in answer.headers["cache-control"]


@pytest.mark.parametrize("content_type", ["", "text/plain", "application/x-www-form-urlencoded"])
async def test_another_content_type_is_not_json(content_type: str, api: Api) -> None:
    async with api.client() as client:
        answer = await client.post("/jmap", content=ECHO, headers={**AUTH, "content-type": content_type})
    assert (answer.status_code, answer.json()["type"]) == (400, "urn:ietf:params:jmap:error:notJSON")


async def test_a_content_type_may_have_parameters(api: Api) -> None:
    async with api.client() as client:
        headers = {**AUTH, "content-type": "Application/JSON; charset=utf-8"}
        assert (await client.post("/jmap", content=ECHO, headers=headers)).status_code == 200


async def test_a_body_that_is_too_long_is_not_read_to_its_end(make_api: Callable[..., Api]) -> None:
    api = make_api(max_size_request=1000)
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while sent < 100_000:
            sent += 100
            yield b" " * 100

    async with api.client() as client:
        answer = await client.post("/jmap", content=endless(), headers={**JSON, **AUTH})
        assert answer.json()["limit"] == "maxSizeRequest"
        announced = await client.post("/jmap", content=b" " * 1001, headers={**JSON, **AUTH})
        assert announced.json()["limit"] == "maxSizeRequest"
        allowed = await client.post("/jmap", content=ECHO.ljust(1000), headers={**JSON, **AUTH})
        assert allowed.status_code == 200


async def test_an_account_has_so_many_requests_under_way(make_api: Callable[..., Api]) -> None:
    api = make_api(max_concurrent_requests=2)
    has_begun, may_go_on = asyncio.Semaphore(0), asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        has_begun.release()
        yield ECHO[:5]
        await may_go_on.wait()
        yield ECHO[5:]

    async def post(content: Any) -> httpx.Response:
        client: httpx.AsyncClient
        async with api.client() as client:
            return await client.post("/jmap", content=content, headers={**JSON, **AUTH})

    slow_ones = [asyncio.create_task(post(slow())) for _ in range(2)]
    for _ in slow_ones:
        await has_begun.acquire()
    answer = await post(ECHO)
    assert answer.json()["limit"] == "maxConcurrentRequests"
    may_go_on.set()
    assert [each.status_code for each in await asyncio.gather(*slow_ones)] == [200, 200]
    assert (await post(ECHO)).status_code == 200


async def test_the_session_resource_rfc8620_section_2(api: Api) -> None:
    async with api.client() as client:
        moved = await client.get("/.well-known/jmap")
        assert (moved.status_code, moved.headers["location"]) == (307, "/jmap/session")
        session = (await client.get("/jmap/session", headers=AUTH)).json()
    for name in ("urn:ietf:params:jmap:core", "urn:stalwart:jmap"):
        assert name in session["capabilities"]
        assert name in session["accounts"]["id-admin"]["accountCapabilities"]
        assert session["primaryAccounts"][name] == "id-admin"
    assert session["capabilities"]["urn:ietf:params:jmap:core"]["maxCallsInRequest"] == 64
    assert (session["username"], session["apiUrl"]) == ("admin", "http://127.0.0.1:8080/jmap/")
    answer = (await api.post(json.loads(ECHO))).json()
    assert answer["sessionState"] == session["state"]


# --- the other paths ------------------------------------------------------------------------------------------------


async def test_the_schema_is_found_under_its_hash_and_kept_for_ever(api: Api) -> None:
    async with api.client() as client:
        moved = await client.get("/api/schema", headers=AUTH)
        assert moved.status_code == 302
        answer = await client.get(moved.headers["location"], headers=AUTH)
        assert "immutable" in answer.headers["cache-control"]
        assert answer.headers["content-encoding"] == "gzip"
        assert "x:NetworkListener" in answer.json()["objects"]
        plain = await client.get(moved.headers["location"], headers={**AUTH, "accept-encoding": "identity"})
        assert "content-encoding" not in plain.headers
        assert plain.json() == answer.json()
        assert len(gzip.compress(plain.content)) < len(plain.content)
        assert (await client.get("/api/schema/other", headers=AUTH)).status_code == 404


@pytest.mark.parametrize(
    ("user", "has", "has_not"),
    [
        ("admin", "sysAccountDestroy", "nothing"),
        ("olga", "sysNetworkListenerUpdate", "sysAccountUpdate"),
        ("alice", None, "sysNetworkListenerGet"),
    ],
)
async def test_who_am_i_and_what_may_i_do(user: str, has: str | None, has_not: str, api: Api) -> None:
    async with api.client() as client:
        await sign_in(client, user)
        account = (await client.get("/api/account")).json()
    assert (account["edition"], account["locale"]) == ("oss", "en")
    assert has is None or has in account["permissions"]
    assert has_not not in account["permissions"]


async def test_health_needs_no_credentials_and_names_what_does_not_run(api: Api) -> None:
    async with api.client(source="192.0.2.7") as client:
        assert (await client.get("/healthz/live")).status_code == 200
        assert (await client.get("/healthz/ready")).json() == {"status": "ready", "notRunning": []}
        api.server.listener_states["mx"] = "failed"
        answer = await client.get("/healthz/ready")
    assert (answer.status_code, answer.json()["notRunning"]) == (503, ["mx"])


async def test_the_web_ui_is_served_with_headers_that_protect_it(api: Api) -> None:
    async with api.client(source="192.0.2.7") as client:
        for path in ("/", "/admin"):
            moved = await client.get(path)
            assert (moved.status_code, moved.headers["location"]) == (302, "/admin/")
        page = await client.get("/admin/")
        assert "<title>gatepost</title>" in page.text
        assert page.headers["cache-control"] == "no-cache"
        assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
        assert page.headers["x-content-type-options"] == "nosniff"
        script = await client.get("/admin/app.js")
        assert script.headers["content-type"].startswith("text/javascript")
        unchanged = await client.get("/admin/app.js", headers={"if-none-match": script.headers["etag"]})
        assert unchanged.status_code == 304
        for path in ("/admin/nothing.js", "/admin/../conftest.py", "/admin/%2e%2e/conftest.py", "/nothing"):
            assert (await client.get(path)).status_code == 404


async def test_the_wrong_method_is_told_which_is_right(api: Api) -> None:
    async with api.client() as client:
        answer = await client.get("/api/login")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_failure_of_the_server_says_nothing_of_its_cause(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail() -> None:
        raise RuntimeError("hunter2")

    monkeypatch.setattr(api.server, "statuses", fail)
    async with api.client() as client:
        answer = await client.get("/healthz/ready")
    assert (answer.status_code, "hunter2" in answer.text) == (500, False)
