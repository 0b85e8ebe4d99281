"""Whatever is done with passwords and keys, right or wrong, they are found nowhere: not in logs at their most talkative, answers,
the history, metrics, what other processes see, or the files of the store."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.certificates import certificate_pem, key_pem, new_certificate, new_key
from tests.integration.running_server import ADMIN, USING, RunningServer, children_of

RIGHT, WRONG, NEW, REFUSED, IN_A_BODY = "right-aa1f", "wrong-bb2f", "new-cc3f", "refused-dd4f", "body-ee5f"
TOKEN_OF_NOBODY = f"gatepost_key_nobody_{'ab12' * 16}"


def said_to(server: RunningServer, body: Any, **options: Any) -> str:
    """What the server answers to a request, whatever it is."""
    with httpx.Client(base_url=str(server.http.base_url), trust_env=False, timeout=30) as client:
        content = body if isinstance(body, str) else json.dumps({"using": USING, "methodCalls": body})
        headers = {"content-type": "application/json", **options.pop("headers", {})}
        return client.post(options.pop("path", "/jmap"), content=content, headers=headers, **options).text


@pytest.fixture(scope="module")
def told(shared_server: RunningServer) -> tuple[str, list[str]]:
    """Everything that was answered; what must not be found anywhere."""
    server = shared_server
    (domain,) = server.call("x:Domain/query", filter={"name": "example.org"})["ids"]
    account = {"name": "keeper", "domainId": domain, "password": RIGHT, "role": "admin"}
    account_id = server.set("Account", create={"a": account})["created"]["a"]["id"]
    key = server.set("ApiKey", create={"k": {"name": "keeper", "accountId": account_id}})["created"]["k"]
    valid = (datetime.now(UTC) - timedelta(days=1), datetime.now(UTC) + timedelta(days=90))
    chain, private = certificate_pem(new_certificate("a.example", new_key(), valid)), key_pem(new_key())

    def call(method: str, **arguments: Any) -> list[Any]:
        return [f"x:{method}", {"accountId": server.account_id, **arguments}, "0"]

    answers = [
        said_to(server, [call("Account/get", ids=None)], auth=("keeper", RIGHT)),
        said_to(server, [call("Account/get", ids=None)], auth=("keeper", WRONG)),
        said_to(server, [], headers={"authorization": f"Bearer {TOKEN_OF_NOBODY}"}),
        said_to(server, json.dumps({"user": "keeper", "password": WRONG}), path="/api/login"),
        said_to(server, '{"using": ["' + IN_A_BODY, auth=ADMIN),
        said_to(server, [call("Account/set", update={account_id: {"password": NEW}}, dryRun=True)], auth=ADMIN),
        said_to(server, [call("Account/set", update={account_id: {"password": NEW}})], auth=ADMIN),
        said_to(server, [call("Account/set", update={account_id: {"password": REFUSED, "x": 1}})], auth=ADMIN),
        said_to(server, [call("Account/set", update={account_id: {f"password/{REFUSED}": True}})], auth=ADMIN),
        said_to(server, [call("Account/query", filter={"password": NEW})], auth=ADMIN),
        said_to(server, [call("ApiKey/get", ids=None), call("ApiKey/query", filter={"secret": "a"})], auth=ADMIN),
        said_to(
            server, [call("Certificate/set", create={"c": {"certificate": chain, "privateKey": private}})], auth=ADMIN
        ),
        said_to(server, [call("Change/get", ids=None), call("Change/query", filter={"text": "argon2"})], auth=ADMIN),
    ]
    answers += [server.http.get(path).text for path in ("/metrics", "/api/account", "/jmap/session")]
    server.set("Account", destroy=[account_id])
    answers.append(said_to(server, [call("Change/get", ids=None)], auth=ADMIN))
    secrets = [RIGHT, WRONG, NEW, IN_A_BODY, TOKEN_OF_NOBODY, ADMIN[1], key["secret"], key["secret"].rpartition("_")[2]]
    return "".join(answers), [*secrets, private.splitlines()[2]]


def test_answers_and_the_history_hold_none(told: tuple[str, list[str]]) -> None:
    answers, secrets = told
    assert [secret for secret in secrets if secret in answers] == []
    assert "$argon2" not in answers
    assert "sha256:" not in answers


def test_the_log_holds_none(shared_server: RunningServer, told: tuple[str, list[str]]) -> None:
    log = shared_server.log()
    assert "login.failed" in log
    assert [secret for secret in (*told[1], REFUSED, "$argon2") if secret in log] == []
    assert "Traceback" not in log


def test_other_processes_see_none(shared_server: RunningServer, told: tuple[str, list[str]]) -> None:
    """The first administrator's password comes by the environment: whatever the server starts does not inherit it."""
    first = shared_server.process.pid
    started = [*children_of(first), *shared_server.worker_pids()]
    assert len(started) == 3
    arguments = "".join(Path(f"/proc/{pid}/cmdline").read_text() for pid in (first, *started))
    environment = "".join(Path(f"/proc/{pid}/environ").read_text() for pid in started)
    assert [secret for secret in told[1] if secret in arguments + environment] == []


def test_the_files_of_the_store_hold_no_password_and_no_key_of_the_api(
    shared_server: RunningServer, told: tuple[str, list[str]]
) -> None:
    files = [file for file in (shared_server.directory / "data").iterdir() if file.is_file()]
    octets = b"".join(file.read_bytes() for file in files)
    assert re.search(rb"\$argon2id\$", octets)
    assert [secret for secret in told[1][:-1] if secret.encode() in octets] == []
    assert all(file.stat().st_mode & 0o077 == 0 for file in files)
