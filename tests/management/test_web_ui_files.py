"""How the files of the web UI are sent: compressed for who takes that, not at all to who has them already."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from gatepost.management.web_ui_files import WebUiFiles

TEXT = "export const answer = 42;\n" * 100


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    (tmp_path / "app.js").write_text(TEXT)
    (tmp_path / "small.js").write_text("1")
    transport = httpx.ASGITransport(WebUiFiles(tmp_path))
    async with httpx.AsyncClient(transport=transport, base_url="http://server") as made:
        yield made


@pytest.mark.parametrize("accepted", ["gzip", "br, GZIP;q=0.5", "deflate, gzip, br"])
async def test_texts_are_compressed_for_who_takes_it(client: httpx.AsyncClient, accepted: str) -> None:
    async with client.stream("GET", "/app.js", headers={"accept-encoding": accepted}) as answer:
        octets = b"".join([chunk async for chunk in answer.aiter_raw()])
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.headers["vary"] == "Accept-Encoding"
    assert answer.headers["content-type"].startswith("text/javascript")
    assert len(octets) == int(answer.headers["content-length"]) < 200
    assert gzip.decompress(octets).decode() == TEXT


@pytest.mark.parametrize("accepted", ["identity", "br", "gzip;q=0", "gzip; q=0.00"])
async def test_who_does_not_take_it_gets_the_file_as_it_is(client: httpx.AsyncClient, accepted: str) -> None:
    answer = await client.get("/app.js", headers={"accept-encoding": accepted})
    assert "content-encoding" not in answer.headers
    assert answer.headers["vary"] == "Accept-Encoding"
    assert answer.text == TEXT


async def test_each_encoding_has_a_tag_of_its_own_and_is_not_sent_twice(client: httpx.AsyncClient) -> None:
    tags = [
        (await client.get("/app.js", headers={"accept-encoding": accepted})).headers["etag"]
        for accepted in ("gzip", "identity")
    ]
    assert tags[0] != tags[1]
    for accepted, tag, status in (("gzip", tags[0], 304), ("identity", tags[1], 304), ("gzip", tags[1], 200)):
        answer = await client.get("/app.js", headers={"accept-encoding": accepted, "if-none-match": tag})
        assert answer.status_code == status


async def test_a_changed_file_is_sent_anew(client: httpx.AsyncClient, tmp_path: Path) -> None:
    tag = (await client.get("/app.js", headers={"accept-encoding": "gzip"})).headers["etag"]
    (tmp_path / "app.js").write_text(TEXT + "// more\n")
    answer = await client.get("/app.js", headers={"accept-encoding": "gzip", "if-none-match": tag})
    assert (answer.status_code, answer.text) == (200, TEXT + "// more\n")


async def test_what_is_tiny_is_not_worth_it(client: httpx.AsyncClient) -> None:
    answer = await client.get("/small.js", headers={"accept-encoding": "gzip"})
    assert "content-encoding" not in answer.headers
