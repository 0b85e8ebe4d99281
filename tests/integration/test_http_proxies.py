"""nginx in front of the API: the client behind it counts, and nobody makes one up."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from tests.integration.real_proxies import Relay, nginx_http
from tests.integration.running_server import RunningServer, running_server

FRIEND, STRANGER = "127.9.0.1", "127.8.0.1"
FROM_AFAR = "proxy_set_header X-Forwarded-For 203.0.113.5; proxy_set_header X-Forwarded-Proto $scheme;"


@dataclass
class Front:
    """A server, the two ways to it through nginx, and a key that is good for FRIEND alone."""

    server: RunningServer
    tls: Relay
    clear: Relay
    token: str

    def get(self, path: str, source: str, *, is_tls: bool = True, **headers: Any) -> httpx.Response:
        relay = self.tls if is_tls else self.clear
        scheme = "https" if is_tls else "http"
        transport = httpx.HTTPTransport(local_address=source, verify=False)  # nginx has a certificate of the test
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        with httpx.Client(transport=transport, timeout=60, trust_env=False) as client:
            return client.get(f"{scheme}://127.0.0.1:{relay.port}{path}", headers=named)

    def with_key(self, source: str, **headers: Any) -> int:
        return self.get("/api/account", source, authorization=f"Bearer {self.token}", **headers).status_code


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    directory = tmp_path_factory.mktemp("http-front")
    with running_server(directory) as server:
        target = f"http://127.0.0.1:{server.ports['http']}"
        tls, clear = Relay("tls", target, "", is_tls=True), Relay("clear", target, FROM_AFAR)
        server.set("SystemSettings", update={"singleton": {"httpForwardedNetworks": ["127.0.0.1"]}})
        key = {"name": "friend", "allowedNetworks": ["127.9.0.0/16"]}
        token = server.set("ApiKey", create={"k": key})["created"]["k"]["secret"]
        with nginx_http(directory / "nginx", [tls, clear]):
            yield Front(server, tls, clear, token)


def test_a_key_is_good_where_the_client_is_not_where_the_proxy_is(front: Front) -> None:
    assert front.with_key(FRIEND) == 200
    assert front.with_key(STRANGER) == 401


def test_who_makes_up_where_he_comes_from_is_not_believed(front: Front) -> None:
    assert front.with_key(STRANGER, x_forwarded_for=FRIEND) == 401
    assert front.with_key(STRANGER, forwarded=f"for={FRIEND}") == 400
    assert front.with_key(STRANGER, forwarded=f"for={FRIEND}", x_forwarded_for=FRIEND) == 400
    assert front.with_key(FRIEND, x_forwarded_for=STRANGER) == 200


def test_credentials_that_came_to_the_proxy_in_clear_are_refused(front: Front) -> None:
    name, password = front.server.admin
    basic = "Basic " + b64encode(f"{name}:{password}".encode()).decode()
    session = front.get("/jmap/session", FRIEND, authorization=basic)
    assert session.json()["apiUrl"].startswith("https://")
    for made_up in ("http", "https"):
        answer = front.get("/jmap/session", FRIEND, is_tls=False, authorization=basic, x_forwarded_proto=made_up)
        assert answer.status_code == 403


def test_blocked_clients_are_not_served_and_the_proxy_goes_on_for_others(front: Front) -> None:
    blocked = front.server.set("BlockedIp", create={"b": {"network": STRANGER}})["created"]["b"]["id"]
    assert front.get("/admin/", STRANGER).status_code == 403
    assert front.get("/admin/", FRIEND).status_code == 200
    front.server.set("BlockedIp", destroy=[blocked])
    assert front.get("/admin/", STRANGER).status_code == 200


def test_the_history_knows_the_client(front: Front) -> None:
    name, password = front.server.admin
    transport = httpx.HTTPTransport(local_address=FRIEND, verify=False)
    with httpx.Client(transport=transport, timeout=60, trust_env=False, auth=(name, password)) as client:
        call = [
            "x:Domain/set",
            {"accountId": front.server.account_id, "create": {"d": {"name": "through-nginx.example"}}},
            "0",
        ]
        body = {"using": ["urn:ietf:params:jmap:core", "urn:stalwart:jmap"], "methodCalls": [call]}
        client.post(f"https://127.0.0.1:{front.tls.port}/jmap", json=body).raise_for_status()
    changes = front.server.call("x:Change/get", ids=None)["list"]
    assert [each["sourceAddress"] for each in changes if each["objectName"] == "through-nginx.example"] == [FRIEND]
