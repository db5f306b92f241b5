"""Where the server listens, as the environment says it, and the token that it then asks for."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from stoma.cli.listening import listening, make_token
from stoma.cli.run import reader
from stoma.errors import UsageError
from stoma.scheduler.settings import Api
from tests.conftest import REPOSITORY

OPEN = {"STOMA_LISTEN": "0.0.0.0:9000"}


@pytest.mark.parametrize(
    ("given", "address"),
    [
        ("", ("127.0.0.1", 8000)),
        ("0.0.0.0:9000", ("0.0.0.0", 9000)),
        ("0.0.0.0", ("0.0.0.0", 8000)),
        ("[::]:9000", ("::", 9000)),
        ("localhost:1", ("localhost", 1)),
    ],
)
def test_the_environment_says_where(given: str, address: tuple[str, int]) -> None:
    found = listening(Api(), None, None, {"STOMA_LISTEN": given})
    assert (found.host, found.port) == address


def test_the_command_line_stands_above_the_environment_and_that_above_the_files() -> None:
    files = Api("192.0.2.1", 1, tokens=("t",))
    assert listening(files, None, None, {}) == files
    assert listening(files, None, None, OPEN) == Api("0.0.0.0", 9000, tokens=("t",))
    assert listening(files, "127.0.0.1", 3, OPEN) == Api("127.0.0.1", 3, tokens=("t",))


@pytest.mark.parametrize("given", [":80", "0.0.0.0:x", "0.0.0.0:99999", "http://0.0.0.0:80", "a/b", "[::"])
def test_what_is_no_address_is_told(given: str) -> None:
    with pytest.raises(UsageError, match="STOMA_LISTEN"):
        listening(Api(), None, None, {"STOMA_LISTEN": given})


def test_a_token_is_added_only_where_others_can_ask_and_the_files_name_none() -> None:
    both = OPEN | {"STOMA_TOKEN": "t" * 20, "STOMA_TOKEN_FILE": "/data/token"}
    assert listening(Api(), None, None, both).tokens == ("${env:STOMA_TOKEN}",)
    # As compose.yaml hands on what is not set.
    assert listening(Api(), None, None, both | {"STOMA_TOKEN": ""}).tokens == ("${file:/data/token}",)
    assert listening(Api(tokens=("${env:MINE}",)), None, None, both).tokens == ("${env:MINE}",)
    assert listening(Api(), "127.0.0.1", None, both).tokens == ()
    assert listening(Api(), None, None, OPEN).tokens == ()
    with pytest.raises(UsageError, match="braces"):
        listening(Api(), None, None, OPEN | {"STOMA_TOKEN_FILE": "/data/{x}"})


def test_a_token_is_made_once_and_for_one_user(tmp_path: Path) -> None:
    environ = OPEN | {"STOMA_TOKEN_FILE": str(tmp_path / "token")}
    api = listening(Api(), None, None, environ)
    assert make_token(api, environ) == tmp_path / "token"
    token = (tmp_path / "token").read_text()
    assert len(token.strip()) >= 43
    assert (tmp_path / "token").stat().st_mode & 0o777 == 0o600
    assert make_token(api, environ) is None
    assert (tmp_path / "token").read_text() == token
    assert [path.name for path in tmp_path.iterdir()] == ["token"]

    other = {"STOMA_TOKEN_FILE": str(tmp_path / "other")}
    assert make_token(Api("0.0.0.0", tokens=("${env:MINE}",)), other) is None
    assert make_token(Api(), other) is None
    assert not (tmp_path / "other").exists()


def test_a_token_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    environ = OPEN | {"STOMA_TOKEN_FILE": str(tmp_path / "nowhere" / "token")}
    with pytest.raises(UsageError, match="no token can be written") as caught:
        make_token(listening(Api(), None, None, environ), environ)
    assert "STOMA_TOKEN" in caught.value.hint


def test_every_reload_says_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "stoma.yaml").write_text("version: 1\n")
    monkeypatch.setenv("STOMA_LISTEN", "0.0.0.0:9000")
    monkeypatch.setenv("STOMA_TOKEN_FILE", str(tmp_path / "token"))
    loader = reader(tmp_path / "stoma.yaml")
    first = loader.config()
    assert first.api == Api("0.0.0.0", 9000, tokens=(f"${{file:{tmp_path / 'token'}}}",))
    assert loader.config().api == first.api


def test_a_server_that_others_can_reach_asks_for_the_token_that_was_made(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    (tmp_path / "stoma.yaml").write_text("version: 1\npresets: []\n")
    environ = {name: value for name, value in os.environ.items() if not name.startswith("STOMA_")}
    environ |= {"STOMA_LISTEN": f"0.0.0.0:{port}", "STOMA_TOKEN_FILE": "token", "PYTHONPATH": str(REPOSITORY)}
    probe = [sys.executable, "-m", "stoma.api.probe"]
    assert subprocess.run(probe, env=environ, cwd=tmp_path, capture_output=True).returncode == 1
    with (tmp_path / "log").open("w") as log:
        command = [sys.executable, "-m", "stoma.cli.run"]
        process = subprocess.Popen(command, env=environ, cwd=tmp_path, stdout=log, stderr=log)
    try:
        end = time.monotonic() + 20
        while subprocess.run(probe, env=environ, cwd=tmp_path, capture_output=True).returncode:
            assert time.monotonic() < end, (tmp_path / "log").read_text()
        token = (tmp_path / "token").read_text().strip()
        address = f"http://127.0.0.1:{port}/api/scheduler/status"
        with pytest.raises(HTTPError, match="401") as refused:
            urlopen(address)
        refused.value.close()
        with urlopen(Request(address, headers={"Authorization": f"Bearer {token}"})) as answer:
            assert json.load(answer)["running"]
        said = (tmp_path / "log").read_text()
        assert token not in said
        assert str(tmp_path / "token") in said
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(15) == 0
