"""The container as people run it: built, started, asked, edited, stopped, killed, and started again on its data.

    python -m tests.campaigns.container                                   # docker, on any machine with a registry
    python -m tests.campaigns.container --engine podman --image localhost/stoma --base localhost/python:3.13-slim

Builds the image from this checkout (or takes the one that is named) and asks of it what docs/container.md says. Each
claim is one line; the first that does not hold ends the campaign with 1. Everything that was made is removed.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.campaigns.engines import Container, Engine, within

CHECKOUT = Path(__file__).resolve().parents[2]
LARGEST = 150 * 10**6
"""Bytes over the base."""

TOKEN = "a token of the campaign, long enough"
MAIN = "version: 1\npresets: [default]\nstore: {url: '${env:STOMA_STORE_URL}'}\n"
ADDED = (
    "tasks:\n  added:\n    collector: arxiv\n    config: {search_query: 'cat:cs.LG'}\n    schedule: hourly\n"
)


def told(fact: str) -> None:
    print(fact, flush=True)


def image_is_small_and_says_what_it_is(engine: Engine, image: str, base: str) -> None:
    size, below = (engine.inspect(name, "Size", kind="image") for name in (image, base))
    assert size - below < LARGEST
    config = engine.inspect(image, "Config", kind="image")
    assert config["User"] == "10001:10001"
    assert config["Entrypoint"] == ["stoma-run"]
    assert "/data" in config["Volumes"]
    assert config["Labels"]["org.opencontainers.image.title"] == "Stoma"
    assert config.get("StopSignal", "SIGTERM") == "SIGTERM"
    # podman keeps it beside the configuration.
    words = config.get("Healthcheck") or engine.inspect(image, "Healthcheck", kind="image")
    assert words["Test"][-1] == "stoma.api.probe"
    told(f"image: {size / 1e6:.0f} MB, {(size - below) / 1e6:.0f} MB over its base")


def demo_collects_behind_locked_doors(engine: Engine, image: str) -> tuple[str, int]:
    """Gives the token that was made, and how many records were collected."""
    here = Container(engine, image, "--demo")
    seconds = here.ready()
    assert here.inside("id", "-u").stdout.strip() == "10001"
    assert here.inside("touch", "/opt/stoma/x", check=False).returncode != 0
    status = here.inside("cat", "/proc/1/status").stdout
    assert "CapEff:\t0000000000000000" in status
    assert "NoNewPrivs:\t1" in status
    told(f"ready after {seconds:.1f} s; uid 10001, no capabilities, its root cannot be written")

    token = here.token()
    assert len(token) > 40
    assert here.inside("stat", "-c", "%a", "/data/token").stdout.strip() == "600"
    assert here.ask("/api/scheduler/status")[0] == 401
    assert here.ask("/api/scheduler/status", "wrong" * 9)[0] == 401
    assert here.ask("/api/scheduler/status", token)[0] == 200
    assert token not in here.said()
    assert "/data/token" in here.said()
    told("a token was made, is asked for, and stands in no log")

    within(60, lambda: not here.ask("/api/runs?status=running", token)[1]["runs"], "all has run", here.said)
    within(60, lambda: records(here, token) > 500, "the demo has collected", here.said)
    found = records(here, token)
    assert here.inside("stoma", "scheduler", "status", "--demo").returncode == 0
    # With room for the whole database beside itself, which /tmp need not have.
    here.inside("stoma", "store", "vacuum", "--demo")
    told(f"{found} records collected; commands work inside")

    begin = time.monotonic()
    here.inside("python", "-m", "stoma.api.probe")
    probe = time.monotonic() - begin
    used = float(here.inside("python", "-c", PROBE).stdout)
    assert used < 0.3
    told(f"the health check takes {used:.2f} s ({probe:.2f} s with the engine)")
    healthy(here, "healthy")
    engine("kill", "-s", "STOP", here.name)
    healthy(here, "unhealthy")
    engine("kill", "-s", "CONT", here.name)
    healthy(here, "healthy")
    told("healthy; unhealthy while it hangs; healthy again")

    seconds = here.stop()
    assert seconds < 10
    assert engine.inspect(here.name, "State", "ExitCode") == 0
    assert "Traceback" not in here.said()
    told(f"stopped after {seconds:.1f} s with exit code 0")
    engine("rm", here.name)
    return token, found


PROBE = """
import subprocess, sys, time
begin = time.monotonic()
subprocess.run([sys.executable, "-m", "stoma.api.probe"], check=True, stdout=subprocess.DEVNULL)
print(time.monotonic() - begin)
"""


def records(here: Container, token: str) -> int:
    return int(sum((here.ask("/api/scheduler/status", token)[1].get("records") or {}).values()))


def healthy(here: Container, wanted: str) -> None:
    """Asked by hand where nobody asks by himself: podman without systemd."""
    if here.engine("healthcheck", "run", here.name, check=False).stderr.startswith("docker:"):
        status = lambda: here.engine.inspect(here.name, "State", "Health", "Status")  # noqa: E731
        within(120, lambda: status() == wanted, wanted)
        return
    done = here.engine("healthcheck", "run", here.name, check=False)
    assert (done.returncode == 0) is (wanted == "healthy"), f"{wanted}: {done.stdout}{done.stderr}"


def data_survives(engine: Engine, image: str, token: str, found: int) -> None:
    here = Container(engine, image, "--demo")
    here.ready()
    assert here.token() == token
    assert records(here, token) >= found
    engine("kill", here.name)
    engine("rm", "-f", here.name)
    told(f"a new container has the same token and all {found} records")
    again = Container(engine, image, "--demo")
    seconds = again.ready()
    assert records(again, token) >= found
    assert again.stop() < 10
    told(f"…also after kill -9: ready {seconds:.1f} s after the next start")


def files_are_taken_up(engine: Engine, image: str, folder: Path) -> None:
    """As compose.yaml shows them, and as Kubernetes does: behind links that are exchanged."""
    (folder / "tasks").mkdir()
    (folder / "stoma.yaml").write_text(MAIN)
    for path in (folder, folder / "tasks"):
        path.chmod(0o755)
    environ = {"STOMA_CONFIG": "/etc/stoma/stoma.yaml", "STOMA_TOKEN": TOKEN}
    environ["STOMA_STORE_URL"] = "sqlite:///stoma.db"
    options = ("-v", f"{folder}:/etc/stoma:ro")
    volume = f"{engine.name}-files"
    try:
        here = Container(engine, image, "--demo", environ=environ, options=options, volume=volume)
        here.ready()
        assert here.inside("cat", "/data/token", check=False).returncode != 0, "a token was given"

        (folder / "tasks" / "mine.yaml").write_text(ADDED)
        seconds = [within(10, lambda: "added" in tasks(here), "a new file is taken up", here.said)]
        saved = folder / "tasks" / ".mine.yaml.new"
        saved.write_text(ADDED.replace("added", "renamed"))
        saved.replace(folder / "tasks" / "mine.yaml")
        seconds.append(within(10, lambda: "renamed" in tasks(here), "as editors save it", here.said))
        (folder / "stoma.yaml").write_text(MAIN.replace("[default]", "[default, nothing_like_it]"))
        within(10, lambda: here.ask("/health")[1]["status"] == "degraded", "a mistake is told", here.said)
        assert "renamed" in tasks(here)
        (folder / "stoma.yaml").write_text(MAIN.replace("[default]", "[research]"))
        within(10, lambda: here.ask("/health")[1]["status"] == "well", "it is mended", here.said)
        told(f"edits in a mounted folder are taken up after {max(seconds):.1f} s; a mistake stops nothing")
        assert here.inside("touch", "/etc/stoma/x", check=False).returncode != 0
        assert here.stop() < 10
        engine("rm", here.name)

        linked = folder / "linked"
        for number, text in enumerate((MAIN, MAIN + ADDED)):
            (linked / f"..{number}").mkdir(parents=True)
            (linked / f"..{number}" / "stoma.yaml").write_text(text)
        (linked / "..data").symlink_to("..0")
        (linked / "stoma.yaml").symlink_to("..data/stoma.yaml")
        options = ("-v", f"{linked}:/etc/stoma:ro")
        here = Container(engine, image, "--demo", environ=environ, options=options, volume=volume)
        here.ready()
        assert "added" not in tasks(here)
        (linked / "..tmp").symlink_to("..1")
        (linked / "..tmp").replace(linked / "..data")
        took = within(15, lambda: "added" in tasks(here), "the links were exchanged", here.said)
        told(f"…and a ConfigMap that is exchanged after {took:.1f} s")
        assert here.stop() < 10
    finally:
        engine("rm", "-f", *engine.used, check=False)
        engine("volume", "rm", "-f", volume, check=False)


def tasks(here: Container) -> set[str]:
    return {task["id"] for task in (here.ask("/api/scheduler/tasks", TOKEN)[1] or {"tasks": []})["tasks"]}


def commands_write_into_the_volume(engine: Engine, image: str) -> None:
    """Without files of one's own all lies in /data, also under a user that a cluster makes up."""
    volume = f"{engine.name}-other"
    try:
        # Fresh volumes take over whose the folder is; a cluster does it by fsGroup.
        here = Container(engine, image, "--demo", options=("--user", "10001:0"), volume=volume)
        here.ready()
        words = ["added", "Added", "arxiv", "hourly", "--config", '{"search_query": "cat:cs.LG"}']
        here.inside("stoma", "scheduler", "add-task", *words)
        assert here.inside("cat", "/data/tasks/added.yaml").stdout
        token = here.token()
        within(
            10, lambda: "added" in str(here.ask("/api/scheduler/tasks", token)[1]), "it is there", here.said
        )
        here.stop()
        engine("rm", here.name)
        fresh = Container(engine, image, "--demo", options=("--user", "1234567:0"), volume=f"{volume}-2")
        fresh.ready()
        assert fresh.inside("id", "-u").stdout.strip() == "1234567"
        fresh.stop()
        told("tasks added by command stay in the volume; a user of any number in group 0 works")
    finally:
        engine("rm", "-f", *engine.used, check=False)
        engine("volume", "rm", "-f", volume, f"{volume}-2", check=False)


def works_on_postgres(engine: Engine, image: str, folder: Path) -> None:
    """Needs the network of this machine: a server of the tests answers on 127.0.0.1 alone."""
    from stoma.stores import open_store
    from tests.support.postgres import binaries, start

    server = start(binaries())
    with server.fresh_database() as url:
        (folder / "stoma.yaml").write_text(MAIN + ADDED)
        environ = {"STOMA_CONFIG": "/etc/stoma/stoma.yaml", "STOMA_TOKEN": TOKEN, "STOMA_STORE_URL": url}
        options = ("-v", f"{folder}:/etc/stoma:ro")
        both = [Container(engine, image, environ=environ, options=options) for _ in range(2)]
        for here in both:
            here.ready()
        nodes = both[0].ask("/api/scheduler/status", TOKEN)[1]["nodes"]
        assert len(nodes) == 2, nodes
        assert [here.stop() < 10 for here in both] == [True, True]
        with open_store(url, folder) as store:
            assert store.now()
    server.stop()
    told("two containers share one PostgreSQL")


def campaign(engine: Engine, image: str, base: str, *, postgres: bool) -> None:
    """All of it; raises AssertionError at the first claim that does not hold."""
    with TemporaryDirectory(prefix="stoma-container-") as name:
        folders = [Path(name, word) for word in ("files", "postgres")]
        for folder in (Path(name), *folders):
            folder.mkdir(exist_ok=True)
            folder.chmod(0o755)
        try:
            image_is_small_and_says_what_it_is(engine, image, base)
            data_survives(engine, image, *demo_collects_behind_locked_doors(engine, image))
            files_are_taken_up(engine, image, folders[0])
            commands_write_into_the_volume(engine, image)
            if postgres:
                works_on_postgres(engine, image, folders[1])
        finally:
            engine.remove()


def main() -> int:
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("--engine", default=os.environ.get("STOMA_TEST_ENGINE", "docker"))
    parser.add_argument("--base", default="python:3.13-slim")
    parser.add_argument("--image", help="take this one instead of building it")
    parser.add_argument(
        "--postgres", action="store_true", help="containers share the network of this machine"
    )
    given = parser.parse_args()
    engine = Engine(given.engine)
    if not shutil.which(engine.words[0]):
        print(f"there is no {engine.words[0]} here")
        return 1
    image = given.image or "localhost/stoma-campaign"
    try:
        if not given.image:
            begin = time.monotonic()
            engine("build", "--build-arg", f"BASE_IMAGE={given.base}", "-t", image, str(CHECKOUT))
            told(f"built in {time.monotonic() - begin:.0f} s")
        campaign(engine, image, given.base, postgres=given.postgres)
    except (AssertionError, subprocess.TimeoutExpired) as error:
        print(f"DOES NOT HOLD: {error}")
        return 1
    finally:
        if not given.image:
            with suppress(subprocess.SubprocessError):
                engine("rmi", "-f", image, check=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
