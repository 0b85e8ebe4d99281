"""How a command finds its server and its credentials, and how every failure on the way is one clear line."""

from __future__ import annotations

import base64
import re
import socket
import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
from tests.certificates import certificate_pem, key_pem, new_certificate, new_key

from gatepost import __version__
from gatepost.cli.failure import CommandError
from gatepost.cli.jmap_client import Access, connect

if TYPE_CHECKING:
    from tests.cli.conftest import FakeServer, Run

LOGIN = ["--user", "admin", "--password", "open sesame"]


def one_line(text: str) -> str:
    assert "Traceback" not in text
    assert text.count("\n") == 1, text
    return text


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port that is bound and not listened on: connections to it are refused."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield int(bound.getsockname()[1])


def test_options_may_stand_in_front_of_the_command_or_behind_it(run: Run, server: FakeServer) -> None:
    options = ["--url", server.url, *LOGIN, "--json"]
    assert run(*options, "get", "SystemSettings").json["id"] == "singleton"
    assert run("get", "SystemSettings", *options).json["id"] == "singleton"


def test_an_option_behind_the_command_counts_before_one_in_front_and_before_the_environment(
    run: Run, server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GATEPOST_URL", "http://127.0.0.1:1")
    before = ["--url", "http://127.0.0.1:1", "--user", "nobody"]
    assert run(*before, "get", "SystemSettings", "--url", server.url, *LOGIN).exit_code == 0
    assert run("--url", server.url, "get", "SystemSettings", *LOGIN).exit_code == 0


def test_an_api_key_is_sent_as_a_bearer_token(run: Run, server: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("get", "SystemSettings", "--url", server.url, "--api-key", "key-1").exit_code == 0
    monkeypatch.setenv("GATEPOST_TOKEN", "key-1")
    assert run("get", "SystemSettings", "--url", server.url).exit_code == 0
    assert set(server.credentials) == {"Bearer key-1"}


def test_a_user_on_the_command_line_counts_before_a_token_in_the_environment(
    run: Run, server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GATEPOST_TOKEN", "wrong")
    assert run("get", "SystemSettings", "--url", server.url, *LOGIN).exit_code == 0
    assert set(server.credentials) == {"Basic " + base64.b64encode(b"admin:open sesame").decode()}


def test_a_wrong_password_is_one_line(run: Run, server: FakeServer) -> None:
    result = run("get", "SystemSettings", "--url", server.url, "--user", "admin", "--password", "wrong")
    assert result.exit_code == 1
    assert "refused the password of admin: check --user and --password (GATEPOST_PASSWORD)" in one_line(result.stderr)
    assert "wrong" not in result.stderr


def test_a_token_of_the_environment_that_is_refused_is_named(
    run: Run, server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GATEPOST_TOKEN", "old")
    result = run("get", "SystemSettings", "--url", server.url)
    assert "refused the API key: check --api-key (GATEPOST_TOKEN)" in one_line(result.stderr)


@pytest.mark.parametrize("url", ["http://admin:hidden@127.0.0.1:8080", "http://admin@mail.example.org"])
def test_a_password_in_the_url_is_refused_and_not_repeated(run: Run, url: str) -> None:
    result = run("get", "SystemSettings", "--url", url)
    assert result.exit_code == 2
    assert "--url: has a user in it" in one_line(result.stderr)
    assert "hidden" not in result.stderr


@pytest.mark.parametrize("url", ["127.0.0.1:8080", "ftp://127.0.0.1", "http://127.0.0.1:99999", "http://"])
def test_what_is_no_url_of_a_server_is_wrong_usage(run: Run, url: str) -> None:
    result = run("get", "SystemSettings", "--url", url)
    assert (result.exit_code, "is not a URL of a server" in one_line(result.stderr)) == (2, True)


def test_no_credentials_at_all_is_one_line(run: Run, server: FakeServer) -> None:
    result = run("get", "SystemSettings", "--url", server.url)
    assert result.exit_code == 1
    assert "give --user and --password, or --api-key" in one_line(result.stderr)


def test_a_user_without_a_password_is_wrong_usage_where_nobody_can_be_asked(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)
    result = run("get", "SystemSettings", "--user", "admin")
    assert result.exit_code == 2
    assert "--password: is missing" in one_line(result.stderr)


def test_a_refused_connection_is_one_line(run: Run, closed_port: int) -> None:
    result = run("status", "--url", f"http://127.0.0.1:{closed_port}", *LOGIN)
    assert result.exit_code == 1
    assert "connection refused; is the server running" in one_line(result.stderr)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (httpx.ConnectError("Name or service not known"), "cannot be reached: Name or service not known"),
        (httpx.ReadTimeout("timed out"), "no answer in time"),
        (httpx.RemoteProtocolError("illegal status line"), "is it an https:// address?"),
    ],
)
def test_every_failure_of_the_transport_has_its_words(error: httpx.TransportError, words: str) -> None:
    def fail(_: httpx.Request) -> httpx.Response:
        raise error

    client = connect(Access("http://127.0.0.1:8080"), httpx.MockTransport(fail))
    with client, pytest.raises(CommandError, match=re.escape(words)):
        client.call("x:ListenerStatus/get", {"ids": None})


def test_an_answer_that_is_not_json_is_told_so() -> None:
    client = connect(Access("http://127.0.0.1:8080"), httpx.MockTransport(lambda _: httpx.Response(200, text="<p>")))
    with client, pytest.raises(CommandError, match="is this the address of a gatepost server"):
        client.call("x:ListenerStatus/get", {"ids": None})


def test_an_account_without_access_to_the_configuration_is_told_so() -> None:
    session = {"primaryAccounts": {}, "capabilities": {}, "apiUrl": "/jmap"}
    client = connect(Access("http://127.0.0.1:8080"), httpx.MockTransport(lambda _: httpx.Response(200, json=session)))
    with client, pytest.raises(CommandError, match="role admin or operator"):
        client.call("x:ListenerStatus/get", {"ids": None})


def test_tls_to_a_plain_port_is_one_line(run: Run, server: FakeServer) -> None:
    result = run("status", "--url", server.url.replace("http:", "https:"), *LOGIN)
    assert result.exit_code == 1
    assert "no TLS there" in one_line(result.stderr)


def test_an_untrusted_certificate_is_one_line_and_insecure_passes_it(run: Run, self_signed: tuple[Path, Path]) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*self_signed)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"https://127.0.0.1:{listening.getsockname()[1]}"
        thread = threading.Thread(target=_answer_two, args=(listening, context))
        thread.start()
        refused = run("status", "--url", url, *LOGIN)
        passed = run("status", "--url", url, *LOGIN, "-k")
        thread.join()
    assert refused.exit_code == passed.exit_code == 1
    assert "the certificate cannot be trusted" in one_line(refused.stderr)
    assert "--ca-file, or use --insecure" in refused.stderr
    assert "there is no gatepost API here" in one_line(passed.stderr)


def test_the_certificate_of_a_server_is_trusted_by_its_file(
    run: Run, self_signed: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*self_signed)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        thread = threading.Thread(target=_answer_two, args=(listening, context))
        thread.start()
        trusted = run("status", "--url", f"https://localhost:{port}", *LOGIN, "--ca-file", str(self_signed[0]))
        monkeypatch.setenv("GATEPOST_CA_FILE", str(self_signed[0]))
        other_name = run("status", "--url", f"https://127.0.0.1:{port}", *LOGIN)
        thread.join()
    assert "there is no gatepost API here" in one_line(trusted.stderr)
    assert "give a name of the certificate in --url" in one_line(other_name.stderr)


def test_a_file_of_authorities_that_cannot_be_used_is_wrong_usage(run: Run, tmp_path: Path) -> None:
    (tmp_path / "empty.pem").write_text("no certificate")
    for name, words in (("empty.pem", "holds no certificate"), ("none.pem", "No such file")):
        result = run("status", "--url", "https://localhost:1", *LOGIN, "--ca-file", str(tmp_path / name))
        assert result.exit_code == 2
        assert f"--ca-file: {tmp_path / name}: {words}" in one_line(result.stderr)


def test_a_redirect_is_told_with_where_it_leads() -> None:
    answer = httpx.Response(301, headers={"Location": "https://mail.example.org/"})
    client = connect(Access("http://127.0.0.1:8080"), httpx.MockTransport(lambda _: answer))
    with client, pytest.raises(CommandError, match=re.escape("leads to https://mail.example.org/: give the address")):
        client.call("x:ListenerStatus/get", {"ids": None})


def test_a_proxy_of_the_environment_gets_neither_requests_nor_credentials(
    run: Run, server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert run("get", "SystemSettings", "--url", server.url, *LOGIN).exit_code == 0


def _answer_two(listening: socket.socket, context: ssl.SSLContext) -> None:
    for _ in range(2):
        accepted, _address = listening.accept()
        try:
            with context.wrap_socket(accepted, server_side=True) as stream:
                stream.recv(65536)
                stream.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        except (ssl.SSLError, OSError):
            accepted.close()


@pytest.fixture
def self_signed(tmp_path: Path) -> tuple[Path, Path]:
    key, now = new_key(), datetime.now(UTC)
    chain, private = tmp_path / "chain.pem", tmp_path / "key.pem"
    chain.write_text(
        certificate_pem(
            new_certificate("localhost", key, (now - timedelta(days=1), now + timedelta(days=1)), names=("localhost",))
        )
    )
    private.write_text(key_pem(key))
    return chain, private


@pytest.mark.parametrize("url", ["127.0.0.1:8080", "ftp://127.0.0.1", "http://", "http://[::1"])
def test_what_is_no_url_is_wrong_usage(run: Run, url: str) -> None:
    result = run("status", "--url", url, *LOGIN)
    assert result.exit_code == 2
    assert "--url" in one_line(result.stderr)


def test_a_password_is_not_sent_in_clear_to_another_machine(run: Run) -> None:
    result = run("status", "--url", "http://192.0.2.1:8080", *LOGIN)
    assert result.exit_code == 2
    assert "in clear" in one_line(result.stderr)


@pytest.mark.parametrize(
    ("status_code", "words"),
    [
        (403, "forbidden: words of the server"),
        (404, "there is no gatepost API here; check --url"),
        (429, "too many attempts"),
        (503, "answered 503 Service Unavailable: words of the server"),
    ],
)
def test_what_the_server_answers_instead_is_one_line(
    gatepost: Run, server: FakeServer, status_code: int, words: str
) -> None:
    server.status_code = status_code
    result = gatepost("status")
    assert result.exit_code == 1
    assert words in one_line(result.stderr)


def test_a_pipe_gets_neither_colours_nor_folded_lines(gatepost: Run, server: FakeServer) -> None:
    many = {f"[::]:{port}": True for port in range(1000, 1100)}
    server.objects["NetworkListener"]["i1"]["bind"] = many
    printed = gatepost("query", "NetworkListener", "--where", "name=imap").stdout
    assert ", ".join(many) in printed
    assert "\x1b" not in printed


def test_version(run: Run) -> None:
    result = run("--version")
    assert (result.exit_code, result.stdout) == (0, f"gatepost {__version__}\n")
