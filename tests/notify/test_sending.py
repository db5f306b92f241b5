"""Real messages through apprise to servers on this machine: arrived, refused, repeated, and never in anybody's way."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest
from psycopg import OperationalError

from stoma import references
from stoma.notify import notifier as notifier_module
from stoma.notify import sending, services
from stoma.notify.notifier import IDLE_SECONDS, Notifier, deliver
from stoma.notify.sending import LEASE, Sender
from stoma.scheduler.base import Notify, TaskStatus
from stoma.scheduler.config import Config
from stoma.scheduler.owner import this_process
from stoma.stores import Store, aside, open_store
from stoma.stores.depths import depths
from stoma.stores.nodes import Node
from tests.notify.support import NOBODY, OPS, World
from tests.support import postgres
from tests.support.clock import Clock
from tests.support.scripted import install
from tests.support.server import Asked, Reply, Server
from tests.support.waiting import until

BOTH = pytest.mark.parametrize("url", ["sqlite", "postgres"], indirect=True)


class Service(Server):
    """Takes messages as `json://` sends them; `answer` says how."""

    def __init__(self) -> None:
        self.answer: Callable[[Asked], Reply] = lambda asked: Reply()
        super().__init__(lambda asked: self.answer(asked))

    @property
    def address(self) -> str:
        return f"json://127.0.0.1:{self.port}/s3cret-path-of-ops"

    @property
    def taken(self) -> list[dict[str, Any]]:
        return [json.loads(asked.body) for asked in self.requests]

    @property
    def titles(self) -> list[str]:
        return [message["title"] for message in self.taken]


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    with Service() as found:
        monkeypatch.setenv("STOMA_TEST_OPS_URL", found.address)
        yield found


@pytest.fixture
def world(store: Store, clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    install(monkeypatch)
    made = World(store, clock, tmp_path)
    made.notify = Notify(after_failures=1)
    return made


@pytest.fixture
def sender(world: World) -> Sender:
    return Sender(world.store, lambda: world.config)


# -- one message ---------------------------------------------------------------------------------------------


@BOTH
def test_a_message_arrives_once(world: World, sender: Sender, service: Service) -> None:
    world.task()
    world.run()
    assert sender.round() == 1
    assert sender.round() == 0
    [message] = service.taken
    assert (message["title"], message["type"]) == ("a fails", "failure")
    assert "it broke" in message["message"]
    assert [row["status"] for row in world.rows(None)] == ["sent"]
    world.run(status=TaskStatus.COMPLETED)
    assert sender.round() == 1
    assert (service.taken[1]["title"], service.taken[1]["type"]) == ("a works again", "success")


@BOTH
def test_a_service_that_refuses_is_asked_again_ever_more_rarely(
    world: World, sender: Sender, service: Service
) -> None:
    service.answer = lambda asked: Reply(500)
    world.task()
    world.run()
    tries = []
    for second in range(0, 600, 10):
        sender.round()
        tries += [second] if len(service.requests) > len(tries) else []
        world.clock.forward(seconds=10)
    assert tries == [0, 30, 90, 210, 450]
    [row] = world.rows()
    assert (row["tries"], row["repeats"]) == (5, 0)
    assert "500" in row["error"]
    assert "s3cret" not in row["error"]
    service.answer = lambda asked: Reply()
    world.clock.forward(hours=1)
    assert sender.round() == 1
    # It was refused: that is no repeat.
    assert service.titles[-1] == "a fails"


def test_what_piled_up_goes_as_one_message_and_in_order(
    world: World, sender: Sender, service: Service
) -> None:
    service.answer = lambda asked: Reply(503)
    for number in range(20):
        world.task(f"t{number:02}")
        world.run(f"t{number:02}")
    sender.round()
    service.answer = lambda asked: Reply()
    world.clock.forward(minutes=1)
    # The rest is not due yet, but the address works again.
    assert sender.round() == 20
    assert service.titles[-1:] == ["20 messages"]
    lines = service.taken[-1]["message"].splitlines()
    assert [line.split()[0] for line in lines] == [f"t{number:02}" for number in range(20)]


def test_an_address_that_is_unset_or_senseless_holds_up_nobody(
    world: World, sender: Sender, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.targets = {"nobody": (NOBODY,), "ops": (OPS,)}
    world.task()
    world.run()
    assert sender.round() == 1
    assert [row["target"] for row in world.rows()] == ["nobody"]
    assert world.rows()[0]["tries"] == 0
    monkeypatch.setenv("STOMA_TEST_NOBODY_URL", "no address at all")
    assert sender.round() == 0
    [row] = world.rows()
    assert "no address that Apprise knows" in row["error"]
    # Mended, it goes on.
    monkeypatch.setenv("STOMA_TEST_NOBODY_URL", service.address)
    world.clock.forward(minutes=1)
    assert sender.round() == 1


def test_nobody_is_there(world: World, sender: Sender, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    monkeypatch.setenv("STOMA_TEST_OPS_URL", f"json://u:pass-of-the-port@127.0.0.1:{port}/")
    world.task()
    world.run()
    assert sender.round() == 0
    [row] = world.rows()
    assert row["error"]
    assert "pass-of-the-port" not in row["error"]


def test_what_hangs_is_left_behind_and_the_next_try_says_repeat(world: World, service: Service) -> None:
    service.answer = lambda asked: Reply(delay=30)
    world.task()
    world.run()

    def hurried(*given: str) -> str | None:
        return services.send_within(*given, seconds=0.5)

    sender = Sender(world.store, lambda: world.config, hurried)
    began = time.monotonic()
    assert sender.round() == 0
    assert time.monotonic() - began < 3
    assert world.rows()[0]["error"].startswith("no answer within")
    service.answer = lambda asked: Reply()
    world.clock.forward(minutes=1)
    assert sender.round() == 1
    assert service.titles == ["a fails", "(repeat) a fails"]


def test_a_silence_is_told_by_our_limit_and_not_by_that_of_apprise(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Its own is 4 s, and tells a service that is merely slow as one that refused.
    monkeypatch.setattr(services, "SECONDS", 0.1)
    service.answer = lambda asked: Reply(delay=3)
    began = time.monotonic()
    assert services.send(service.address, "t", "b", "info") is not None
    assert time.monotonic() - began < 2


@BOTH
def test_what_a_clock_wrote_that_was_ahead_is_sent_all_the_same(
    world: World, sender: Sender, service: Service
) -> None:
    world.task()
    good = world.clock.now
    world.clock.forward(days=365)
    world.run()
    world.clock.now = good
    assert sender.round() == 1


@BOTH
def test_what_waits_for_a_reference_that_is_mended_is_sent(
    world: World, sender: Sender, service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    world.targets = {"ops": (NOBODY, OPS), "old": (NOBODY,)}
    world.task()
    world.run()
    assert sender.round() == 1
    other = Node("other", "elsewhere", 1, "1", None, "another configuration", 1, world.clock.now, {})
    world.store.nodes.beat(other, world.clock.now)
    world.targets = {"ops": ("${env:STOMA_TEST_OPS_URL}", "${env:STOMA_TEST_OPS_URL}#2")}
    assert sender.round() == 0
    assert [row["address"] for row in world.rows()] == [NOBODY, NOBODY]
    # All who work here know the same addresses.
    world.store.nodes.leave("other")
    assert sender.round() == 1
    found = [(row["target"], row["address"], row["status"]) for row in world.rows(None)]
    assert found == [("ops", f"{OPS}#2", "sent"), ("ops", OPS, "sent"), ("old", NOBODY, "dropped")]
    assert depths(world.store.database, world.clock.now).messages == 0


def test_three_hundred_tasks_that_fail_at_once_are_a_few_messages(
    world: World, sender: Sender, service: Service
) -> None:
    for number in range(300):
        world.task(f"t{number}")
        world.run(f"t{number}")
    assert sender.round() == 300
    assert service.titles == ["100 messages"] * 3


def test_an_address_rests_after_a_delivery(world: World, service: Service) -> None:
    sender = Sender(world.store, lambda: world.config, rest=30)
    for number in range(3):
        world.task(f"t{number}")
        world.run(f"t{number}")
        sender.round()
    assert service.titles == ["t0 fails"]
    sender._resting.clear()
    assert sender.round() == 2
    assert service.titles[1:] == ["2 messages"]


def test_without_apprise_messages_wait(
    world: World, sender: Sender, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.task()
    world.run()
    monkeypatch.setattr(services, "is_installed", lambda: False)
    assert sender.round() == 0
    assert "pip install 'stoma-scheduler[notify]'" in (sending.waiting_reason(world.config, OPS) or "")
    assert [problem.hint for problem in sending.waiting(world.config)] == [services.INSTALL]
    monkeypatch.undo()
    os.environ["STOMA_TEST_OPS_URL"] = service.address
    try:
        assert sender.round() == 1
    finally:
        del os.environ["STOMA_TEST_OPS_URL"]


def test_mail(world: World, sender: Sender, monkeypatch: pytest.MonkeyPatch) -> None:
    with Post() as post:
        address = f"mailto://127.0.0.1:{post.port}/ops@example.org?from=stoma@example.org&mode=insecure"
        monkeypatch.setenv("STOMA_TEST_OPS_URL", address)
        world.task()
        world.run(said="a <b>strange</b> \x1b[31m error")
        assert sender.round() == 1
    assert post.recipients == ["ops@example.org"]
    assert "Subject: a fails" in post.text
    assert "\x1b" not in post.text


class Post(threading.Thread):
    """A mail server that takes one message, in as few words as there can be."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.recipients: list[str] = []
        self.text = ""

    def __enter__(self) -> Post:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.join(5)
        self._listener.close()

    def run(self) -> None:
        sock, _ = self._listener.accept()
        with sock, sock.makefile("rwb") as lines:

            def say(text: str) -> None:
                lines.write(text.encode() + b"\r\n")
                lines.flush()

            say("220 here")
            while line := lines.readline().decode().strip():
                word = line.upper().split()[0]
                if word == "RCPT":
                    self.recipients.append(line.partition("<")[2].partition(">")[0])
                if word == "DATA":
                    say("354 go on")
                    while (text := lines.readline().decode()) != ".\r\n":
                        self.text += text
                say("221 bye" if word == "QUIT" else "250 ok")
                if word == "QUIT":
                    return


# -- many who send -------------------------------------------------------------------------------------------


@BOTH
def test_of_many_who_send_one_sends_each_message(world: World, service: Service) -> None:
    for number in range(30):
        world.task(f"t{number:02}")
        world.run(f"t{number:02}")
    senders = [Sender(world.store, lambda: world.config) for _ in range(4)]
    arrived: list[int] = []
    threads = [threading.Thread(target=lambda one=one: arrived.append(one.round())) for one in senders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(arrived) == 30
    said = [line.split()[0] for message in service.taken for line in message["message"].splitlines()]
    assert len([word for word in said if word.startswith("t")]) == len(
        {word for word in said if word.startswith("t")}
    )


@BOTH
def test_a_claim_ends_with_its_lease_and_counts_as_a_repeat(
    world: World, sender: Sender, service: Service
) -> None:
    world.task()
    world.run()
    store, now = world.store, world.clock.now
    other = str(this_process()).replace("/", "-", 1).replace("-", "elsewhere/", 1)
    [letter] = store.outbox.claim("ops", OPS, other, now, now + LEASE, 10)
    assert letter.repeats == 0
    assert sender.round() == 0
    world.clock.forward(seconds=LEASE.total_seconds() + 1)
    assert sender.round() == 1
    assert service.titles == ["(repeat) a fails"]
    # Who had it before marks nothing any more.
    store.outbox.failed([letter], other, "late", {letter.id: now})
    assert [row["status"] for row in world.rows(None)] == ["sent"]


# -- processes -----------------------------------------------------------------------------------------------

YAML = """\
version: 1
presets: []
api: {port: 0}
notify: {targets: {ops: "${env:STOMA_TEST_OPS_URL}"}, after_failures: 1}
tasks:
  broken:
    collector: http_json
    config: {url: "SOURCE", fields: {id: id}}
    retry: {count: 0}
    run_on_start: true
"""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """One task whose source refuses for good."""
    with Server(lambda asked: Reply(404)) as source:
        (tmp_path / "stoma.yaml").write_text(YAML.replace("SOURCE", source.url))
        yield tmp_path


def stoma_run(folder: Path, *words: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "stoma.cli.run", "--no-server", *words]
    return subprocess.Popen(
        command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True
    )


def test_killed_between_sending_and_marking_it_is_repeated_and_never_lost(
    folder: Path, service: Service
) -> None:
    held = threading.Event()

    def hold(asked: Asked) -> Reply:
        # It has arrived, and who sent it does not know yet.
        held.wait(20)
        return Reply(drop=True)

    service.answer = hold
    process = stoma_run(folder)
    until(lambda: service.requests, 20, "the first message")
    process.send_signal(signal.SIGKILL)
    process.wait()
    held.set()
    service.answer = lambda asked: Reply()
    process = stoma_run(folder)
    try:
        until(lambda: len(service.requests) > 1, 20, "the repeat")
        with open_store("sqlite:///stoma.db", folder) as store:
            until(lambda: [row["status"] for row in store.outbox.counts()] == ["sent"])
            # It failed once more when it started, and nobody is told twice.
            until(lambda: store.alerts.open()[0].bad_runs == 2)
            assert store.outbox.due(store.now() + timedelta(days=1)) == set()
    finally:
        process.terminate()
        process.wait(20)
    assert service.titles == ["broken fails", "(repeat) broken fails"]


def test_once_tells_too_before_it_ends(folder: Path, service: Service) -> None:
    assert stoma_run(folder, "--once").wait(30) == 1
    assert service.titles == ["broken fails"]


def test_once_does_not_wait_for_long(world: World, service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    service.answer = lambda asked: Reply(delay=30)
    world.task()
    world.run()
    began = time.monotonic()
    assert deliver(world.store, world.config, 0.5) == 0
    assert time.monotonic() - began < 3
    service.answer = lambda asked: Reply()
    world.clock.forward(minutes=1)
    assert deliver(world.store, world.config, 5) == 1


# -- the thread ----------------------------------------------------------------------------------------------


def test_the_thread_sends_what_it_is_woken_for_and_ends_at_once(world: World, service: Service) -> None:
    notifier = Notifier(world.store, lambda: world.config, clock=world.clock)
    notifier.start()
    world.task()
    world.run()
    notifier.wake()
    until(lambda: service.titles == ["a fails"])
    began = time.monotonic()
    notifier.stop(2)
    assert time.monotonic() - began < 1 < IDLE_SECONDS


def test_a_store_that_is_away_is_told_directly(world: World, service: Service) -> None:
    notifier = Notifier(world.store, lambda: world.config, clock=world.clock)
    trouble = notifier._store_trouble
    notifier.store_failed("the disk is full")
    trouble.round(world.clock.now)
    assert service.titles == []
    notifier.store_failed("the disk is full")
    for _ in range(3):
        trouble.round(world.clock.forward(minutes=1))
    assert service.titles == ["The store cannot be used"]
    assert "the disk is full" in service.taken[0]["message"]
    trouble.round(world.clock.forward(hours=4))
    assert service.titles[1:] == ["The store still cannot be used"]
    notifier.store_works()
    for _ in range(2):
        trouble.round(world.clock.forward(minutes=1))
    assert service.titles[2:] == ["The store works again"]


def test_a_store_that_says_nothing_is_told_although_all_wait_for_it(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aside, "PATIENCE_SECONDS", 0.3)
    monkeypatch.setattr(notifier_module, "IDLE_SECONDS", 0.05)
    monkeypatch.setattr(notifier_module, "ASK_EVERY", 0.1)
    still = [0.0]
    database = postgres.start(postgres.binaries())
    with suppress(OperationalError), database.fresh_database() as url, open_store(url, tmp_path) as store:
        config = Config(base=tmp_path, store_url=url, targets={"ops": (OPS,)})
        notifier = Notifier(store, lambda: config, still=lambda: still[0])
        notifier.start()
        main = psutil.Process(database.process.pid)
        frozen = [main, *main.children(recursive=True)]
        for process in frozen:
            process.suspend()
        try:
            still[0] = 61.0
            until(lambda: service.titles == ["The store cannot be used"], 10)
            assert "the store does not answer" in service.taken[0]["message"]
            # The one that lives by the outbox waits; that holds up nobody's end.
            began = time.monotonic()
            assert notifier._thread.is_alive()
        finally:
            for process in frozen:
                process.resume()
        until(lambda: service.titles[1:] == ["The store works again"], 10)
        notifier.stop(5)
        assert time.monotonic() - began < 10
    database.stop()


def test_what_is_told_of_a_store_that_is_away_is_tried_again(world: World, service: Service) -> None:
    service.answer = lambda asked: Reply(500)
    notifier = Notifier(world.store, lambda: world.config, clock=world.clock)
    trouble = notifier._store_trouble
    notifier.store_failed("away")
    trouble.round(world.clock.forward(minutes=2))
    trouble.round(world.clock.forward(seconds=1))
    assert len(service.requests) == 1
    service.answer = lambda asked: Reply()
    trouble.round(world.clock.forward(minutes=1))
    trouble.round(world.clock.forward(minutes=1))
    assert len(service.requests) == 2


def test_no_secret_lies_in_the_store(world: World, sender: Sender, service: Service, tmp_path: Path) -> None:
    service.answer = lambda asked: Reply(500)
    assert references.resolve(OPS, tmp_path) == service.address
    world.task()
    world.run(said=f"cannot reach {service.address}")
    sender.round()
    assert "s3cret-path-of-ops" not in json.dumps(world.rows(None), default=str)
    assert "s3cret-path-of-ops" not in str(world.store.alerts.open())
