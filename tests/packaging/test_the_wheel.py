"""The wheel is the whole installation: it is built as `pip wheel .` builds it, without a network, and installed beside the packages
that it needs."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Iterator
from email.parser import HeaderParser
from pathlib import Path
from zipfile import ZipFile

import pytest

from gatepost import __version__

ROOT = Path(__file__).parents[2]
DIST_INFO = f"gatepost-{__version__}.dist-info"
PLAN = (
    '{"@type":"upsert","object":"NetworkListener","matchOn":["name"],"value":'
    '{"l":{"name":"imap","protocol":"imap","bind":{"127.0.0.1:10143":true}}}}\n'
)
TEST_OF_A_USER = """
import urllib.request

def test_there_is_a_server(gatepost_server):
    with urllib.request.urlopen(gatepost_server.http_url + "/admin/") as page:
        assert b"app.js" in page.read()
"""


def run(*command: str | Path, **more: str) -> str:
    """What it prints. The packages come from where the interpreter finds them, the product's source from nowhere."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | more
    done = subprocess.run(
        [str(each) for each in command], capture_output=True, text=True, check=False, env=environment, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def pip(*arguments: str | Path) -> None:
    run(sys.executable, "-m", "pip", "--disable-pip-version-check", "-q", *arguments)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("wheel")
    pip("wheel", "--no-deps", "--no-build-isolation", "--no-index", "-w", directory, ROOT)
    (built,) = directory.iterdir()
    return built


@pytest.fixture(scope="module")
def archive(wheel: Path) -> Iterator[ZipFile]:
    with ZipFile(wheel) as opened:
        yield opened


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where its commands are: an environment of its own that finds the packages of this one behind its own."""
    environment = tmp_path_factory.mktemp("installed")
    venv.create(environment, symlinks=True)
    site_packages = sysconfig.get_path("purelib", vars={"base": str(environment)})
    Path(site_packages, "others.pth").write_text(sysconfig.get_path("purelib") + "\n")
    pip("--python", environment / "bin" / "python", "install", "--no-deps", "--no-index", wheel)
    return environment / "bin"


def test_it_holds_every_file_of_the_package_and_no_other(archive: ZipFile) -> None:
    package = ROOT / "src" / "gatepost"
    files = (each for each in package.rglob("*") if each.is_file() and "__pycache__" not in each.parts)
    expected = {each.relative_to(package.parent).as_posix() for each in files}
    beside = (f"{DIST_INFO}/", f"gatepost-{__version__}.data/")
    assert {name for name in archive.namelist() if not name.startswith(beside)} == expected
    for name in ("py.typed", "webui/index.html", "webui/app.js", "webui/vendor/preact.js", "pytest_plugin.py"):
        assert f"gatepost/{name}" in expected


def test_it_holds_the_licences_the_manual_page_and_its_entry_points(archive: ZipFile) -> None:
    names = archive.namelist()
    vendored = (ROOT / "src" / "gatepost" / "webui" / "vendor").glob("LICENSE.*")
    licences = ["LICENSE", *(each.relative_to(ROOT).as_posix() for each in vendored)]
    assert len(licences) > 1
    for licence in licences:
        assert archive.read(f"{DIST_INFO}/licenses/{licence}") == (ROOT / licence).read_bytes()
    (page,) = (name for name in names if name.endswith("/share/man/man1/gatepost.1"))
    assert archive.read(page) == (ROOT / "docs" / "man" / "gatepost.1").read_bytes()
    entry_points = archive.read(f"{DIST_INFO}/entry_points.txt").decode().split()
    assert entry_points == [
        *("[console_scripts]", "gatepost", "=", "gatepost.__main__:main"),
        *("[pytest11]", "gatepost", "=", "gatepost.pytest_plugin"),
    ]


def test_its_metadata_say_what_it_is_and_needs(archive: ZipFile) -> None:
    metadata = HeaderParser().parsestr(archive.read(f"{DIST_INFO}/METADATA").decode())
    assert (metadata["Name"], metadata["Version"]) == ("gatepost", __version__)
    assert metadata["Requires-Python"] == ">=3.11"
    needed = metadata.get_all("Requires-Dist", [])
    assert len(needed) > 10
    assert not any("extra ==" in each or each.startswith(("pytest", "hatchling")) for each in needed)
    assert metadata["Description-Content-Type"] == "text/markdown"


def test_what_was_installed_says_its_version_and_checks_a_plan(installed: Path, tmp_path: Path) -> None:
    assert run(installed / "gatepost", "--version") == f"gatepost {__version__}\n"
    where = run(installed / "python", "-c", "import gatepost; print(gatepost.__file__)")
    assert Path(where).is_relative_to(installed.parent)
    assert (installed.parent / "share" / "man" / "man1" / "gatepost.1").is_file()
    plan = tmp_path / "plan.ndjson"
    plan.write_text(PLAN)
    run(installed / "gatepost", "check", plan)


def test_a_test_of_somebody_else_has_the_fixture_and_a_server_with_its_web_ui(installed: Path, tmp_path: Path) -> None:
    test = tmp_path / "test_of_a_user.py"
    test.write_text(TEST_OF_A_USER)
    said = run(installed / "python", "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", tmp_path, test)
    assert "1 passed" in said
