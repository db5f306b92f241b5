"""A real `stoma-run` with secrets by each kind of reference in each place that takes one: nothing shows any."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.server import Asked, Reply, Server

SECRETS = {
    "HEADER": "hdr-s3cr3t/+one", "QUERY": "qry-s3cr3t&two", "USER": "usr-s3cr3t-three", "TOKEN": "tok-s3cr3t-four",
    "OPS": "json://ops-s3cr3t-five@127.0.0.1:9/", "STORE": "sqlite:///sto-s3cr3t-six.db",
}  # fmt: skip
FILES = {"body.txt": "bod-s3cr3t-seven", "header.txt": "fil-s3cr3t-eight"}
# What is sent for a name and a password in an address, without the ends that depend on its neighbours.
BASIC = b64encode(f"me:{SECRETS['USER']}".encode()).decode()[4:-4]
PARTS = [value.partition("s3cr3t")[0][-4:] + "s3cr3t" for value in (*SECRETS.values(), *FILES.values())] + [
    BASIC
]


@pytest.fixture
def echo() -> Iterator[Server]:
    """A source that refuses, and says all that it was sent."""

    def answer(asked: Asked) -> Reply:
        # First what the beginning of a message has room for.
        said = json.dumps(
            [asked.headers.get("authorization"), asked.path, asked.query, asked.headers, asked.body.decode()]
        )
        return Reply(400, said.encode(), {"Content-Type": "application/json"})

    with Server(answer) as server:
        yield server


@pytest.mark.parametrize("form", ["human", "json"])
def test_nothing_shows_a_secret(tmp_path: Path, echo: Server, form: str) -> None:
    for name, content in FILES.items():
        (tmp_path / name).write_text(content)
    shared = "collector: http_json, schedule: daily, retry: {count: 0}"
    config = "items: data, key: id, fields: {title: t}"
    (tmp_path / "stoma.yaml").write_text(
        f"""\
version: 1
presets: []
store: {{url: "${{env:STORE}}"}}
api: {{tokens: ["${{env:TOKEN}}"]}}
notify: {{targets: {{ops: "${{env:OPS}}"}}, after_failures: 1}}
tasks:
  header: {{{shared}, config: {{url: "{echo.url}/h", headers: {{X-Key: "${{env:HEADER}}",
           X-File: "${{file:header.txt}}"}}, {config}}}}}
  query: {{{shared}, config: {{url: "{echo.url}/q", params: {{key: "${{env:QUERY}}"}}, {config}}}}}
  user: {{{shared}, config: {{url: "{echo.url.replace("//", "//me:${env:USER}@")}/u", {config}}}}}
  body: {{{shared}, config: {{url: "{echo.url}/b", method: POST, body: {{key: "${{file:body.txt}}"}}, {config}}}}}
"""
    )
    words = ["--once", "--log-level", "DEBUG", "--log-format", form, "--log-file", "stoma.log"]
    result = subprocess.run(
        [sys.executable, "-m", "stoma.cli.run", *words], cwd=tmp_path, env=os.environ | SECRETS,
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert result.returncode == 1
    # Each came as far as the source, or it would prove nothing.
    assert {asked.path.split("?")[0] for asked in echo.requests} == {"/h", "/q", "/u", "/b"}
    log = (tmp_path / "stoma.log").read_text()
    assert log.count("400") >= 4
    logs = subprocess.run(
        [sys.executable, "-m", "stoma.cli.main", "logs", "1"], cwd=tmp_path, env=os.environ | SECRETS,
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    stored = "".join(path.read_bytes().decode("latin-1") for path in tmp_path.glob("sto-*.db*"))
    for place, text in {
        "output": result.stdout, "errors": result.stderr, "file": log, "run log": logs.stdout, "store": stored,
    }.items():  # fmt: skip
        assert text
        assert [part for part in PARTS if part in text] == [], (
            place,
            text[:3000] if place != "store" else "",
        )
    if form == "json":
        runs = [json.loads(line) for line in log.splitlines()]
        assert {line["task"] for line in runs if "run" in line} == {"header", "query", "user", "body"}
