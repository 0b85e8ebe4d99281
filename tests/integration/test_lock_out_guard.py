"""Nobody takes the own way to the API away by accident: asked of a real server, over the very way that would be lost."""

from __future__ import annotations

import json
import socket
import ssl
from base64 import b64encode
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from tests.free_port import free_port
from tests.integration.running_server import ADMIN, USING, RunningServer


def refusal(
    url: str, who: tuple[str, str] | str, account_id: str, object_type: str, **arguments: Any
) -> dict[str, Any]:
    """The one error of a /set that is refused. `who`: an account and its password, or an API key."""
    auth, headers = (None, {"authorization": f"Bearer {who}"}) if isinstance(who, str) else (who, {})
    call = [f"x:{object_type}/set", {"accountId": account_id, **arguments}, "0"]
    with httpx.Client(base_url=url, auth=auth, headers=headers, trust_env=False, timeout=30) as client:
        answer = client.post("/jmap", json={"using": USING, "methodCalls": [call]}).json()["methodResponses"][0][1]
    (error,) = [error for name in ("notUpdated", "notDestroyed") for error in (answer[name] or {}).values()]
    return dict(error)


@pytest.fixture
def other_admin(shared_server: RunningServer) -> Iterator[str]:
    (domain,) = shared_server.call("x:Domain/query", filter={"name": "example.org"})["ids"]
    account = {"name": "second", "domainId": domain, "password": "another secret", "role": "admin"}
    account_id: str = shared_server.set("Account", create={"a": account})["created"]["a"]["id"]
    yield account_id
    shared_server.set("Account", destroy=[account_id])


def test_the_address_that_the_request_came_to_is_not_removed(shared_server: RunningServer) -> None:
    kept, own = f"127.0.0.1:{free_port()}", f"127.0.0.2:{free_port()}"
    listener_id = shared_server.create_listener(name="two-ways", protocol="http", bind=[kept, own], useTls=False)
    try:
        removal = {"update": {listener_id: {f"bind/{own}": None}}}
        error = refusal(f"http://{own}", ADMIN, shared_server.account_id, "NetworkListener", **removal)
        assert error["properties"] == ["bind"]
        assert f"came to {own}" in error["description"]
        assert "allowLockOut" in error["description"]
        shared_server.set("NetworkListener", **removal)  # by another way it is fine
    finally:
        shared_server.destroy_listener(listener_id)


def test_the_proxy_that_the_request_came_by_is_not_distrusted(shared_server: RunningServer) -> None:
    port = free_port()
    listener_id = shared_server.create_listener(
        name="by-proxy",
        protocol="http",
        bind=[f"127.0.0.1:{port}"],
        useTls=False,
        overrideProxyTrustedNetworks=["127.0.0.0/8"],
    )
    try:
        update = {listener_id: {"overrideProxyTrustedNetworks": ["192.0.2.0/24"]}}
        call = ["x:NetworkListener/set", {"accountId": shared_server.account_id, "update": update}, "0"]
        request = shared_server.http.build_request("POST", "/jmap", json={"using": USING, "methodCalls": [call]})
        authorization = "Basic " + b64encode(":".join(ADMIN).encode()).decode()
        head = f"POST /jmap HTTP/1.1\r\nHost: localhost\r\nAuthorization: {authorization}\r\nConnection: close\r\n"
        head += f"Content-Type: application/json\r\nContent-Length: {len(request.content)}\r\n\r\n"
        with socket.create_connection(("127.0.0.1", port), 10) as sock:
            sock.sendall(b"PROXY TCP4 127.0.0.9 127.0.0.1 4000 80\r\n" + head.encode() + request.content)
            answer = b"".join(iter(lambda: sock.recv(65536), b""))
        _, _, body = answer.partition(b"\r\n\r\n")
        (error,) = json.loads(body)["methodResponses"][0][1]["notUpdated"].values()
        assert error["properties"] == ["overrideProxyTrustedNetworks"]
        assert "127.0.0.1" in error["description"]
    finally:
        shared_server.destroy_listener(listener_id)


def test_the_tls_version_that_the_request_came_by_is_not_switched_off(shared_server: RunningServer) -> None:
    port = free_port()
    listener_id = shared_server.create_listener(
        name="old-clients", protocol="http", bind=[f"127.0.0.1:{port}"], useTls=True, tlsImplicit=True
    )
    update = {listener_id: {"tlsDisableProtocols": ["tls12"]}}
    call = ["x:NetworkListener/set", {"accountId": shared_server.account_id, "update": update, "dryRun": True}, "0"]

    def refused(newest: ssl.TLSVersion) -> list[str]:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # the server has made its certificate itself
        context.maximum_version = newest
        with httpx.Client(auth=ADMIN, verify=context, trust_env=False, timeout=30) as client:
            answer = client.post(f"https://127.0.0.1:{port}/jmap", json={"using": USING, "methodCalls": [call]})
        errors = answer.json()["methodResponses"][0][1]["notUpdated"] or {}
        return [name for error in errors.values() for name in error["properties"]]

    try:
        assert refused(ssl.TLSVersion.TLSv1_2) == ["tlsDisableProtocols"]
        assert refused(ssl.TLSVersion.TLSv1_3) == []
    finally:
        shared_server.destroy_listener(listener_id)


def test_the_own_account_is_neither_removed_nor_lowered(shared_server: RunningServer, other_admin: str) -> None:
    me = (str(shared_server.http.base_url), ("second", "another secret"), other_admin)
    assert refusal(*me, "Account", destroy=[other_admin])["type"] == "forbidden"
    assert refusal(*me, "Account", update={other_admin: {"role": "user"}})["properties"] == ["role"]


def test_the_key_of_the_request_is_neither_removed_nor_made_useless(shared_server: RunningServer) -> None:
    key = shared_server.set("ApiKey", create={"k": {"name": "guarded"}})["created"]["k"]
    me = (str(shared_server.http.base_url), key["secret"], shared_server.account_id)
    try:
        elsewhere = {key["id"]: {"allowedNetworks": ["192.0.2.0/24"]}}
        error = refusal(*me, "ApiKey", update=elsewhere)
        assert error["properties"] == ["allowedNetworks"]
        assert refusal(*me, "ApiKey", destroy=[key["id"]])["type"] == "forbidden"
    finally:
        shared_server.set("ApiKey", destroy=[key["id"]])
