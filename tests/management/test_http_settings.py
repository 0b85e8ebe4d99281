"""What the settings change about HTTP: trusted HTTP proxies, pages of other origins, Strict-Transport-Security."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from tests.certificates import certificate_pem, key_pem, new_certificate, new_key
from tests.management.conftest import NOW, basic

Api = Any
PROXY, CLIENT = "10.0.0.1", "198.51.100.9"
HTTPS = {"x-forwarded-for": CLIENT, "x-forwarded-proto": "https"}
AUTH = {"authorization": basic("admin")}
PAGE = "https://admin.example.org:8443"


async def settings(api: Api, **values: Any) -> None:
    await api.call("x:SystemSettings/set", update={"singleton": values})


# --- HTTP proxies ---------------------------------------------------------------------------------------------------


async def test_behind_a_trusted_proxy_the_client_counts(api: Api) -> None:
    await settings(api, httpForwardedNetworks=["127.0.0.0/8"])
    async with api.client() as client:
        answer = await client.get("/jmap/session", headers=AUTH | HTTPS)
    assert (answer.status_code, str(api.authenticator.peers[-1].source_address)) == (200, CLIENT)
    assert answer.json()["apiUrl"].startswith("https://")


async def test_a_cookie_that_a_proxy_hands_out_over_https_is_secure(api: Api) -> None:
    await settings(api, httpForwardedNetworks=["127.0.0.0/8"])
    async with api.client() as client:
        answer = await client.post("/api/login", json={"user": "admin", "password": "secret"}, headers=HTTPS)
    assert "; secure" in answer.headers["set-cookie"].lower()


@pytest.mark.parametrize(
    "headers",
    [
        {"x-forwarded-for": CLIENT},
        {"x-forwarded-for": CLIENT, "x-forwarded-proto": "http"},
        {"forwarded": f"for={CLIENT}"},
    ],
)
async def test_credentials_that_came_to_the_proxy_in_clear_are_refused(headers: dict[str, str], api: Api) -> None:
    await settings(api, httpForwardedNetworks=["127.0.0.0/8"])
    async with api.client() as client:
        assert (await client.get("/jmap/session", headers=AUTH | headers)).status_code == 403
        assert (await client.get("/jmap/session", headers=AUTH)).status_code == 200
    await settings(api, allowClearHttpLogin=True)
    async with api.client() as client:
        assert (await client.get("/jmap/session", headers=AUTH | headers)).status_code == 200


async def test_the_last_stretch_must_be_protected_too(api: Api) -> None:
    await settings(api, httpForwardedNetworks=["10.0.0.0/8"])
    async with api.client(source=PROXY) as client:
        assert (await client.get("/jmap/session", headers=AUTH | HTTPS)).status_code == 403
    async with api.client(source=PROXY, base_url="https://mail.example.org:8443") as client:
        assert (await client.get("/jmap/session", headers=AUTH | HTTPS)).status_code == 200
        no_word = {"x-forwarded-for": CLIENT}
        assert (await client.get("/jmap/session", headers=AUTH | no_word)).status_code == 403


async def test_headers_that_contradict_each_other_are_a_bad_request(api: Api) -> None:
    await settings(api, httpForwardedNetworks=["127.0.0.0/8"])
    async with api.client() as client:
        answer = await client.get("/healthz/live", headers=HTTPS | {"forwarded": "for=127.0.0.1"})
    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")


async def test_a_blocked_client_is_not_served_through_a_proxy_either(api: Api) -> None:
    await settings(api, httpForwardedNetworks=["127.0.0.0/8"])
    api.blocked = {CLIENT}
    async with api.client() as client:
        assert (await client.get("/admin/", headers=HTTPS)).status_code == 403
        assert (await client.get("/admin/", headers=HTTPS | {"x-forwarded-for": "198.51.100.8"})).status_code == 200


@pytest.mark.parametrize("network", [CLIENT, "127.0.0.1"])
async def test_neither_the_client_nor_its_proxy_is_locked_out_by_accident(network: str, api: Api) -> None:
    await settings(api, httpForwardedNetworks=["127.0.0.0/8"])
    body = {
        "using": ["urn:ietf:params:jmap:core", "urn:stalwart:jmap"],
        "methodCalls": [["x:BlockedIp/set", {"accountId": "id-admin", "create": {"b": {"network": network}}}, "c"]],
    }
    async with api.client() as client:
        answer = await client.post("/jmap", json=body, headers=AUTH | HTTPS)
    assert "allowLockOut" in str(answer.json()["methodResponses"][0][1]["notCreated"]["b"])


async def test_a_key_is_good_for_the_client_behind_the_proxy(api: Api) -> None:
    await settings(api, httpForwardedNetworks=["127.0.0.0/8"])
    answer = await api.call("x:ApiKey/set", create={"k": {"name": "k", "allowedNetworks": [CLIENT]}})
    bearer = {"authorization": f"Bearer {answer['created']['k']['secret']}"}
    async with api.client() as client:
        assert (await client.get("/api/account", headers=bearer | HTTPS)).status_code == 200
        assert (await client.get("/api/account", headers=bearer)).status_code == 401


# --- pages of other origins -----------------------------------------------------------------------------------------

PREFLIGHT = {"origin": PAGE, "access-control-request-method": "POST", "access-control-request-headers": "authorization"}


async def test_no_page_of_another_origin_may_use_the_api_unless_the_settings_say_so(api: Api) -> None:
    async with api.client() as client:
        assert (await client.options("/jmap", headers=PREFLIGHT)).status_code == 405
        answer = await client.get("/jmap/session", headers=AUTH | {"origin": PAGE})
    assert not [name for name in answer.headers if name.startswith("access-control")]


@pytest.mark.parametrize(
    "path", ["/jmap", "/jmap/", "/api", "/jmap/session", "/api/schema", "/api/schema/x", "/api/account"]
)
async def test_a_preflight_of_an_allowed_origin_is_answered_without_credentials(path: str, api: Api) -> None:
    await settings(api, httpAllowedOrigins=[PAGE])
    async with api.client() as client:
        answer = await client.options(path, headers=PREFLIGHT)
    assert answer.status_code == 204
    assert answer.headers["access-control-allow-origin"] == PAGE
    assert "POST" in answer.headers["access-control-allow-methods"]
    assert "authorization" in answer.headers["access-control-allow-headers"]
    assert "access-control-allow-credentials" not in answer.headers
    assert "nosniff" in answer.headers["x-content-type-options"]


async def test_answers_and_refusals_can_be_read_by_the_page(api: Api) -> None:
    await settings(api, httpAllowedOrigins=[PAGE])
    async with api.client() as client:
        for headers, status in ((AUTH, 200), ({}, 401)):
            answer = await client.get("/jmap/session", headers=headers | {"origin": PAGE})
            assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (status, PAGE)
            assert "origin" in answer.headers["vary"].lower()
            assert "access-control-allow-credentials" not in answer.headers


@pytest.mark.parametrize(
    "origin", ["https://admin.example.org", "https://evil.example", "null", "", f"{PAGE}.evil.example", PAGE.upper()]
)
async def test_another_origin_is_not_allowed_and_answers_are_not_mixed_up_in_caches(origin: str, api: Api) -> None:
    await settings(api, httpAllowedOrigins=[PAGE])
    async with api.client() as client:
        assert (await client.options("/jmap", headers=PREFLIGHT | {"origin": origin})).status_code == 405
        answer = await client.get("/jmap/session", headers=AUTH | {"origin": origin})
    assert "access-control-allow-origin" not in answer.headers
    assert answer.headers["vary"].lower() == "origin"


@pytest.mark.parametrize("path", ["/api/login", "/api/logout", "/admin/", "/metrics", "/jmapper"])
async def test_signing_in_for_a_cookie_and_the_pages_are_not_for_other_origins(path: str, api: Api) -> None:
    await settings(api, httpAllowedOrigins=[PAGE])
    async with api.client() as client:
        answer = await client.options(path, headers=PREFLIGHT)
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize(
    "origin",
    [
        "*",
        "null",
        "admin.example.org",
        "https://admin.example.org/",
        "https://admin.example.org:443",
        "http://a.example:80",
        "ftp://a.example",
        "https://user@a.example",
        "https://*.example.org",
    ],
)
async def test_an_origin_is_written_as_browsers_send_it(origin: str, api: Api) -> None:
    answer = await api.call("x:SystemSettings/set", update={"singleton": {"httpAllowedOrigins": [origin]}})
    assert answer["notUpdated"]["singleton"]["properties"] == ["httpAllowedOrigins"]


async def test_an_origin_is_kept_as_browsers_send_it(api: Api) -> None:
    origins = ["HTTPS://Admin.Example.org", "http://[::1]:8080", "http://a.example:443", "http://localhost:3000"]
    await settings(api, httpAllowedOrigins=origins)
    (stored,) = (await api.call("x:SystemSettings/get", ids=None))["list"]
    assert list(stored["httpAllowedOrigins"]) == [each.lower() for each in origins]


# --- Strict-Transport-Security --------------------------------------------------------------------------------------


async def hsts(api: Api, base_url: str = "https://mail.example.org:8443") -> str | None:
    async with api.client(base_url=base_url) as client:
        value: str | None = (await client.get("/admin/")).headers.get("strict-transport-security")
    return value


async def give_certificate(api: Api) -> None:
    key = new_key()
    made = new_certificate("mail.example.org", key, (NOW - timedelta(days=1), NOW + timedelta(days=90)))
    properties = {"certificate": certificate_pem(made), "privateKey": key_pem(key)}
    await api.call("x:Certificate/set", create={"c": properties})


async def test_browsers_are_told_to_stay_on_https_once_there_is_a_certificate(api: Api) -> None:
    assert await hsts(api) is None
    await give_certificate(api)
    assert await hsts(api) == "max-age=2592000"
    assert await hsts(api, "http://127.0.0.1:8080") is None


@pytest.mark.parametrize(("setting", "header"), [("1h", "max-age=3600"), (0, "max-age=0"), (None, None)])
async def test_how_long_is_a_setting_and_it_can_be_taken_back(setting: Any, header: str | None, api: Api) -> None:
    await give_certificate(api)
    await settings(api, httpStrictTransportSecurity=setting)
    assert await hsts(api) == header


# --- the usual headers ----------------------------------------------------------------------------------------------

PROTECTION = {
    "content-security-policy": "default-src 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=()",
}


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/admin/", 200),
        ("GET", "/admin/app.js", 200),
        ("HEAD", "/admin/", 200),
        ("GET", "/", 302),
        ("GET", "/nothing", 404),
        ("GET", "/admin/nothing", 404),
        ("DELETE", "/jmap", 405),
        ("GET", "/api/account", 401),
        ("POST", "/jmap", 401),
        ("GET", "/healthz/live", 200),
        ("GET", "/metrics", 200),
    ],
)
async def test_every_answer_keeps_browsers_from_doing_harm(method: str, path: str, status: int, api: Api) -> None:
    async with api.client() as client:
        answer = await client.request(method, path)
    assert answer.status_code == status
    for name, value in PROTECTION.items():
        assert value in answer.headers[name]
    policy = answer.headers["content-security-policy"]
    assert "unsafe" not in policy
    assert "*" not in policy


async def test_a_failure_of_the_server_has_the_headers_too(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail() -> None:
        raise RuntimeError

    monkeypatch.setattr(api.server, "statuses", fail)
    async with api.client() as client:
        answer = await client.get("/healthz/ready")
    assert (answer.status_code, answer.headers["x-content-type-options"]) == (500, "nosniff")


# --- logging out ----------------------------------------------------------------------------------------------------


async def test_a_copied_cookie_is_worth_nothing_after_the_log_out(api: Api) -> None:
    async with api.client() as client:
        token = (await client.post("/api/login", json={"user": "admin", "password": "secret"})).json()["csrfToken"]
        copied = {"cookie": f"gatepost_session={client.cookies['gatepost_session']}"}
        other = await client.post("/api/login", json={"user": "admin", "password": "secret"})
        kept = {"cookie": f"gatepost_session={other.cookies['gatepost_session']}"}
        client.cookies.clear()
        assert (await client.post("/api/logout", headers=copied | {"x-csrf-token": token})).status_code == 204
        assert (await client.get("/api/account", headers=copied)).status_code == 401
        assert (await client.get("/api/account", headers=kept)).status_code == 200


async def test_what_was_ended_is_forgotten_when_it_would_have_ended_by_itself(api: Api) -> None:
    for _ in range(3):
        async with api.client() as client:
            token = (await client.post("/api/login", json={"user": "admin", "password": "secret"})).json()["csrfToken"]
            await client.post("/api/logout", headers={"x-csrf-token": token})
        api.now += timedelta(hours=7)
    assert len([row for row in api.store.rows if row[0] == "EndedWebSession"]) == 2


async def test_signing_in_and_out_again_and_again_neither_fills_the_store_nor_keeps_it_busy(api: Api) -> None:
    async with api.client() as client:
        stays = await client.post("/api/login", json={"user": "admin", "password": "secret"})
        kept = {"cookie": f"gatepost_session={stays.cookies['gatepost_session']}"}
        revisions = []
        for _ in range(100):
            signed_in = await client.post("/api/login", json={"user": "alice", "password": "secret"})
            copied = {"cookie": f"gatepost_session={client.cookies['gatepost_session']}"}
            await client.post("/api/logout", headers={"x-csrf-token": signed_in.json()["csrfToken"]})
            assert (await client.get("/api/account", headers=copied)).status_code == 401
            revisions.append(api.store.revisions)
        assert len([row for row in api.store.rows if row[0] == "EndedWebSession"]) == 1
        assert revisions[-1] == revisions[50]  # a session that is over needs no writing down
        assert (await client.get("/api/account", headers=kept)).status_code == 200  # somebody else's
        api.now += timedelta(seconds=1)
        await client.post("/api/login", json={"user": "alice", "password": "secret"})
        assert (await client.get("/api/account")).status_code == 200
