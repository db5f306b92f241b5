"""The service of systemd for real: installed, watched, hung, killed, read, upgraded and removed under a booted systemd.

    python -m tests.campaigns.service --folder FOLDER

Needs root, `systemd-nspawn` and `mmdebstrap` (Debian: systemd-container, mmdebstrap). FOLDER keeps the root of a small
Debian (about 250 MB) and the wheels of the dependencies for the next time; what happens inside is thrown away.
The machine inside has no network; what it collects comes from a server in it that asks for a secret.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]
INSTALL = "/in/scripts/install-scheduler-service.sh"
UNIT = "stoma-scheduler"
SECRET = "kJ3-x9_Qz7!pW2"
SUITES = {"trixie": "3.13", "bookworm": "3.11"}
"""Debian's names of its releases, and which Python each has."""

PACKAGED = ("stoma", "presets", "schemas", "pyproject.toml", "README.md", "LICENSE")
LAID_OUT = ("stoma", "presets", "schemas", "scripts", "deploy", "bin", "stoma.yaml", "requirements.txt")

BOOT = """
umount -R -l /sys/fs/cgroup; mount -t cgroup2 cgroup2 /sys/fs/cgroup
exec systemd-nspawn -q -D "$1" --volatile=overlay --boot --register=no --keep-unit --console=pipe --private-network \
    --bind-ro="$2":/in
"""
"""The groups of processes are shown to it as version 2 alone, also where the machine has both."""

SOURCE = f"""
import http.server, json, time
class Things(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path.startswith("/slow"):
            time.sleep(60)
        known = self.headers.get("Authorization") == "Bearer {SECRET}"
        body = json.dumps([{{"id": n, "title": f"Thing {{n}}"}} for n in range(20)]).encode()
        self.send_response(200 if known else 401)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
http.server.ThreadingHTTPServer(("127.0.0.1", 9000), Things).serve_forever()
"""

YAML = """\
version: 1
presets: []
defaults: {retry: {count: 0}}
tasks:
  things:
    collector: http_json
    config:
      url: http://127.0.0.1:9000/things
      auth: {bearer: "${file:/run/credentials/stoma-scheduler.service/secret_things}"}
      fields: {title: title}
    schedule: weekly
  slow:
    collector: http_json
    config: {url: "http://127.0.0.1:9000/slow", fields: {title: title}}
    schedule: weekly
  refused:
    collector: http_json
    config: {url: "http://127.0.0.1:9000/things", auth: {bearer: "${env:WRONG}"}, fields: {title: title}}
    schedule: weekly
"""


class Machine:
    """A booted systemd; commands run inside as root."""

    def __init__(self, leader: int) -> None:
        self.leader = leader

    def run(self, command: str, *, code: int | None = 0, seconds: float = 300) -> str:
        """What a command of the shell printed; it has to end with this code, or with any where `code` is None."""
        inside = ["nsenter", "-t", str(self.leader), "-m", "-u", "-i", "-p", "-C", "-n", "--", "env", "-i"]
        done = subprocess.run(
            [*inside, "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "sh", "-c", command],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=seconds,
        )  # fmt: skip
        assert code is None or done.returncode == code, f"{command}: {done.returncode}\n{done.stdout}"
        return done.stdout

    def shown(self, name: str) -> str:
        """A property of the unit."""
        return self.run(f"systemctl show {UNIT} -p {name} --value").strip()

    def until(self, seconds: float, is_so: Callable[[], bool]) -> float:
        """How long it took until something was so; it has to be within so many seconds."""
        began = time.monotonic()
        while not is_so():
            assert time.monotonic() - began < seconds, self.run(f"journalctl -u {UNIT} -n 40 --no-pager")
            time.sleep(0.05)
        return time.monotonic() - began


@contextmanager
def booted(root: Path, shared: Path) -> Iterator[Machine]:
    """A machine made of a root, whose changes are thrown away; `shared` is seen inside as /in."""
    with (shared.parent / "boot.log").open("w") as log:
        process = subprocess.Popen(
            ["unshare", "--mount", "--propagation", "private", "sh", "-c", BOOT, "sh", str(root), str(shared)],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
        )  # fmt: skip
    machine: Machine | None = None
    try:
        for _ in range(200):
            children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
            leader = children.read_text().split() if children.exists() else []
            if leader:
                machine = Machine(int(leader[0]))
                if machine.run("systemctl is-system-running --wait", code=None).strip() == "running":
                    break
            time.sleep(0.1)
        else:
            raise RuntimeError(f"it does not boot: {(shared.parent / 'boot.log').read_text()}")
        assert machine is not None
        yield machine
    finally:
        if machine is not None:
            # Asks systemd for the end of the machine (systemd(1)).
            os.kill(machine.leader, signal.SIGRTMIN + 4)
        else:
            process.terminate()
        process.wait(30)


def make_root(folder: Path, suite: str) -> Path:
    """The root of a small Debian with systemd and Python, made once."""
    root = folder / f"root-{suite}"
    if not root.is_dir():
        sources = Path("/etc/apt/sources.list.d/debian.sources")
        found = re.search(r"^URIs: *(\S+)", sources.read_text(), re.MULTILINE) if sources.is_file() else None
        if found is None:
            sys.exit("no packages of Debian: /etc/apt/sources.list.d/debian.sources names none")
        packages = "systemd,systemd-sysv,dbus,python3,python3-venv,curl"
        line = f"deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] {found[1]} {suite} main"
        partial = folder / "root-new"
        shutil.rmtree(partial, ignore_errors=True)
        subprocess.run(
            ["mmdebstrap", "-q", "--variant=minbase", f"--include={packages}", suite, partial, line],
            check=True,
        )
        partial.rename(root)
    return root


def make_shared(folder: Path, python: str) -> Path:
    """What the machine is given: the checkout, wheels of it in three versions, and those of its dependencies."""
    shared = folder / "shared"
    wheels = folder / f"wheels-{python}"
    shutil.rmtree(shared, ignore_errors=True)
    shared.mkdir(parents=True)
    for name in LAID_OUT:
        _copy(REPOSITORY / name, shared / name)
    pins = (REPOSITORY / "requirements.txt").read_text()
    if not (wheels / "requirements.txt").is_file() or (wheels / "requirements.txt").read_text() != pins:
        shutil.rmtree(wheels, ignore_errors=True)
        command = [sys.executable, "-m", "pip", "download", "-q", "--disable-pip-version-check", "--no-deps"]
        pinned = ["--python-version", python, "--only-binary", ":all:", "--require-hashes"]
        subprocess.run([*command, *pinned, "-d", wheels, "-r", REPOSITORY / "requirements.txt"], check=True)
        shutil.copy(REPOSITORY / "requirements.txt", wheels)
    shutil.copytree(wheels, shared / "wheels")
    for number, version in enumerate(("0.1.0", "0.1.1", "0.1.2"), 1):
        source, target = folder / "source", shared / f"wheel{number}"
        shutil.rmtree(source, ignore_errors=True)
        source.mkdir()
        for name in PACKAGED:
            _copy(REPOSITORY / name, source / name)
        package = source / "stoma" / "__init__.py"
        package.write_text(re.sub(r'__version__ = ".+"', f'__version__ = "{version}"', package.read_text()))
        if number == 3:
            # It says its version and then never becomes ready.
            main = source / "stoma" / "api" / "main.py"
            main.write_text(
                main.read_text() + "\n\ndef serve(*args, **named):\n    raise OSError('broken')\n"
            )
        build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(target)]
        subprocess.run(build, cwd=source, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        shutil.copy(REPOSITORY / "requirements.txt", target)
    (shared / "source.py").write_text(SOURCE)
    (shared / "stoma-test.yaml").write_text(YAML)
    return shared


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copy(source, target)


class Campaign:
    """One machine, scene by scene; `facts` is what was measured."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.run = machine.run
        self.facts: dict[str, Any] = {}

    def play(self) -> None:
        """All scenes, in their order."""
        for scene in (
            self.nothing_is_changed_by_a_dry_run, self.installed, self.nothing_is_done_twice, self.collects,
            self.read_by_the_journal, self.edits_are_taken_up, self.commands_act_on_it, self.writes_nowhere_else,
            self.every_collector_works_inside,
            self.hung, self.killed, self.stopped, self.broken_configuration, self.upgraded, self.broken_upgrade,
            self.from_the_checkout, self.uninstalled,
        ):  # fmt: skip
            began = time.monotonic()
            scene()
            print(f"  {scene.__name__:32} {time.monotonic() - began:5.1f} s", flush=True)

    def install(self, *arguments: str, code: int = 0) -> str:
        """The installer, without a network."""
        pip = "PIP_NO_INDEX=1 PIP_FIND_LINKS=/in/wheels"
        return self.run(f"{pip} {INSTALL} {' '.join(arguments)}", code=code)

    def wheel(self, number: int) -> str:
        return f"--wheel /in/wheel{number}/*.whl"

    def listing(self) -> str:
        return self.run(
            "find /etc /opt /usr/local /var/lib -xdev \\( -path /var/lib/systemd -o -path /var/lib/dbus \\) -prune"
            " -o -print | sort; getent passwd"
        )

    def is_ready(self) -> bool:
        return (
            self.run("curl -s -o /dev/null -w '%{http_code}' 127.0.0.1:8000/health/ready", code=None) == "200"
        )

    def count(self) -> int:
        query = "select count(*) from records"
        python = f"import sqlite3; print(sqlite3.connect('/var/lib/stoma/stoma.db').execute('{query}').fetchone()[0])"
        return int(self.run(f'python3 -c "{python}"'))

    def nothing_is_changed_by_a_dry_run(self) -> None:
        before = self.listing()
        told = self.install(self.wheel(1), "--dry-run")
        assert "nothing was changed" in told
        assert "systemctl restart stoma-scheduler" in told
        assert self.listing() == before

    def installed(self) -> None:
        began = time.monotonic()
        told = self.install(self.wheel(1))
        self.facts["install_seconds"] = round(time.monotonic() - began, 1)
        assert "0.1.0 runs as stoma-scheduler" in told, told
        # The start returned only when it could be used.
        assert self.is_ready()
        assert self.machine.shown("ActiveState") == "active"
        self.facts["status_text"] = self.machine.shown("StatusText")
        assert self.facts["status_text"]
        assert self.run(f"systemctl is-enabled {UNIT}").strip() == "enabled"
        self.run(f"systemd-analyze verify /etc/systemd/system/{UNIT}.service")
        level = self.run(f"systemd-analyze security --threshold=15 {UNIT}")
        self.facts["exposure"] = re.search(r"exposure level.*: ([\d.]+)", level)[1]
        size = self.run("du -sm /opt/stoma | cut -f1").strip()
        self.facts["programs_mb"] = int(size)
        modes = self.run("stat -c '%a %U:%G %n' /etc/stoma /etc/stoma/* /var/lib/stoma /opt/stoma")
        for line in (
            "750 root:stoma /etc/stoma", "640 root:stoma /etc/stoma/stoma.yaml", "700 root:root /etc/stoma/secrets",
            "600 root:root /etc/stoma/environment", "700 stoma:stoma /var/lib/stoma", "755 root:root /opt/stoma",
        ):  # fmt: skip
            assert line in modes.splitlines(), modes
        assert "sudo stoma-run --check" in self.run("cat /etc/stoma/stoma.yaml")
        self.run("test -f /etc/stoma/schemas/stoma.schema.json && stoma-run --check")

    def nothing_is_done_twice(self) -> None:
        before, pid = self.listing(), self.machine.shown("MainPID")
        told = self.install(self.wheel(1))
        assert "up to date" in told
        assert self.machine.shown("MainPID") == pid
        assert self.listing() == before

    def collects(self) -> None:
        self.run("systemd-run -q --unit=source python3 /in/source.py")
        self.run(f"umask 077; printf '%s\\n' '{SECRET}' > /etc/stoma/secrets/things")
        self.run("echo 'WRONG=\"not the right one\"' >> /etc/stoma/environment")
        self.run("cat /in/stoma-test.yaml > /etc/stoma/stoma.yaml")
        # Secrets are handed over at the start.
        self.run(f"systemctl restart {UNIT}")
        self.run("stoma scheduler run-task things; stoma scheduler run-task refused", code=1)
        assert self.count() == 20
        # The file of a preset that it had never seen was not overwritten by the next installation.
        self.install(self.wheel(1))
        assert "secret_things" in self.run("cat /etc/stoma/stoma.yaml")

    def read_by_the_journal(self) -> None:
        text = self.run(f"journalctl -u {UNIT} -o cat --no-pager")
        assert "things #" in text, text
        assert SECRET not in text
        assert "not the right one" not in text
        own = self.run(f"journalctl -u {UNIT} -o cat --no-pager _SYSTEMD_UNIT={UNIT}.service")
        doubled = [
            line for line in own.splitlines() if re.search(r"\d\d:\d\d:\d\d +(INFO|WARNING|ERROR)", line)
        ]
        assert doubled == []
        assert not re.search(r"^<\d>", own, re.MULTILINE)
        grave = self.run(f"journalctl -u {UNIT} -p warning -o cat --no-pager _SYSTEMD_UNIT={UNIT}.service")
        assert "refused #" in grave, grave
        assert "things #" not in grave
        self.facts["journal_lines"] = [
            line for line in own.splitlines() if "things #" in line or "refused #" in line
        ]

    def edits_are_taken_up(self) -> None:
        pid = self.machine.shown("MainPID")
        self.run("sed -i 's/^  slow:/  slower:/' /etc/stoma/stoma.yaml")
        tasks = "curl -s 127.0.0.1:8000/api/scheduler/tasks"
        self.facts["edit_seconds"] = round(self.machine.until(10, lambda: '"slower"' in self.run(tasks)), 1)
        self.run("sed -i 's/^  slower:/  slow:/' /etc/stoma/stoma.yaml")
        # By a program over HTTP: a file among the data.
        self.run("curl -sf -X POST 127.0.0.1:8000/api/scheduler/presets/research")
        self.run("test -f /var/lib/stoma/tasks/_presets.yaml && rm /var/lib/stoma/tasks/_presets.yaml")
        assert self.machine.shown("MainPID") == pid

    def commands_act_on_it(self) -> None:
        assert json.loads(self.run("stoma scheduler status --json"))["running"] is True
        assert "things" in self.run("cd /root && stoma scheduler list-tasks")
        self.run(
            "stoma scheduler add-task added 'Added' arxiv daily --config '{\"search_query\": \"cat:cs.AI\"}'"
            " && test -f /etc/stoma/tasks/added.yaml"
        )
        tasks = "curl -s 127.0.0.1:8000/api/scheduler/tasks"
        self.machine.until(10, lambda: '"added"' in self.run(tasks))
        self.run("stoma scheduler remove-task added")
        assert "Thing 7" in self.run("stoma search 'Thing 7'")
        self.facts["doctor"] = self.run("stoma doctor", code=None).splitlines()
        refused = self.run(
            "setpriv --reuid=nobody --regid=nogroup --clear-groups stoma scheduler status", code=1
        )
        assert "sudo stoma scheduler status" in refused

    def writes_nowhere_else(self) -> None:
        places = "-path /proc -o -path /sys -o -path /run -o -path /var/lib/stoma"
        elsewhere = self.run(f"find / \\( {places} \\) -prune -o -user stoma -print")
        assert elsewhere == "", elsewhere
        pid = self.machine.shown("MainPID")
        # With its eyes even root may write nowhere else.
        for place in (
            "/etc/stoma",
            "/opt/stoma",
            "/usr",
            "/var/cache",
            "/var/lib",
            "/home",
            "/root",
            "/boot",
        ):
            told = self.run(f"nsenter -t {pid} -m touch {place}/x", code=1)
            assert "Read-only file system" in told, told
        self.run(f"nsenter -t {pid} -m sh -c 'touch /var/lib/stoma/x && rm /var/lib/stoma/x'")
        as_it = f"nsenter -t {pid} -m setpriv --reuid=stoma --regid=stoma --clear-groups"
        self.run(f"{as_it} cat /etc/stoma/secrets/things", code=1)
        status = self.run(f"cat /proc/{pid}/status")
        for line in ("CapEff:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2"):
            assert line in status
        boot = "cat /proc/sys/kernel/random/boot_id"
        self.facts["same_boot_name"] = self.run(boot) == self.run(f"nsenter -t {pid} -m {boot}")
        self.facts["memory_mb"] = int(re.search(r"VmRSS:\s+(\d+)", status)[1]) // 1024
        self.facts["threads"] = int(re.search(r"Threads:\s+(\d+)", status)[1])

    def every_collector_works_inside(self) -> None:
        # The demo asks a server of its own with every collector that ships; names are looked up as well.
        presets = " ".join(
            f"--preset {path.stem}" for path in sorted((REPOSITORY / "presets").glob("*.yaml"))
        )
        program = f"/opt/stoma/current/bin/stoma-run --demo {presets}"
        self.run(f"mkdir -p /etc/systemd/system/{UNIT}.service.d")
        drop_in = f"/etc/systemd/system/{UNIT}.service.d/demo.conf"
        self.run(f"printf '[Service]\\nExecStart=\\nExecStart={program}\\n' > {drop_in}")
        self.run(f"systemctl daemon-reload && systemctl restart {UNIT}")

        def ended() -> bool:
            runs = json.loads(self.run("curl -s '127.0.0.1:8000/api/runs?limit=200'"))["runs"]
            states = {run["status"] for run in runs}
            self.facts["demo"] = sorted(f"{run['task']} {run['status']}" for run in runs)
            return bool(runs) and not states & {"pending", "running", "interrupted"}

        self.facts["demo_seconds"] = round(self.machine.until(120, ended), 1)
        bad = [line for line in self.facts["demo"] if not line.endswith("completed")]
        assert bad == [], self.run(f"journalctl -u {UNIT} -p warning -o cat --no-pager")
        self.facts["demo"] = len(self.facts["demo"])
        self.run(f"rm -r /etc/systemd/system/{UNIT}.service.d /var/lib/stoma/stoma-demo")
        self.run(f"systemctl daemon-reload && systemctl restart {UNIT}")

    def hung(self) -> None:
        self.run(f"mkdir -p /etc/systemd/system/{UNIT}.service.d")
        self.run(f"printf '[Service]\\nWatchdogSec=3s\\n' > /etc/systemd/system/{UNIT}.service.d/watch.conf")
        self.run(f"systemctl daemon-reload && systemctl restart {UNIT}")
        # Watched and well: three times as long as it may be silent.
        pid = self.machine.shown("MainPID")
        time.sleep(9)
        assert self.machine.shown("MainPID") == pid
        self.run(f"kill -STOP {pid}")
        self.facts["hung_to_ready_seconds"] = round(
            self.machine.until(
                40, lambda: self.machine.shown("MainPID") not in ("0", pid) and self.is_ready()
            ),
            1,
        )
        text = self.run(f"journalctl -u {UNIT} -o cat --no-pager")
        assert "Watchdog timeout" in text
        assert "Fatal Python error: Aborted" in text
        assert "wait_for_end" in text
        self.run(
            f"rm -r /etc/systemd/system/{UNIT}.service.d && systemctl daemon-reload && systemctl restart {UNIT}"
        )

    def killed(self) -> None:
        before = self.count()
        pid = self.machine.shown("MainPID")
        self.run("curl -sf -X POST 127.0.0.1:8000/api/scheduler/tasks/slow/run")
        self.run(f"kill -KILL {pid}")
        self.facts["killed_to_ready_seconds"] = round(
            self.machine.until(
                30, lambda: self.machine.shown("MainPID") not in ("0", pid) and self.is_ready()
            ),
            1,
        )
        assert self.machine.shown("NRestarts") == "1"
        assert self.count() == before

    def stopped(self) -> None:
        # In the middle of a run that waits for an answer.
        self.run("curl -s -X POST 127.0.0.1:8000/api/scheduler/tasks/slow/run")
        running = "curl -s 127.0.0.1:8000/api/scheduler/status"
        self.machine.until(20, lambda: '"slow"' in self.run(running))
        began = time.monotonic()
        self.run(f"systemctl stop {UNIT}")
        seconds = time.monotonic() - began
        self.facts["stop_seconds"] = round(seconds, 1)
        assert seconds < 10
        assert self.machine.shown("Result") == "success"
        # In a container the name of the boot may be another one inside than outside the service (systemd 252); then the
        # processes that were killed above count as living until their lease is over.
        status = "stoma scheduler status >/dev/null; echo $?"
        self.facts["not_running_after_seconds"] = round(
            self.machine.until(60, lambda: self.run(status).strip() == "1"), 1
        )
        self.run(f"systemctl start {UNIT}")
        assert self.is_ready()

    def broken_configuration(self) -> None:
        # Its last good text stands, also after a restart.
        self.run("cp -p /etc/stoma/stoma.yaml /srv/ && echo 'tusks: {}' >> /etc/stoma/stoma.yaml")
        self.run(f"systemctl restart {UNIT}")
        assert self.is_ready()
        assert "tusks" in self.run(f"journalctl -u {UNIT} -p warning -o cat --no-pager -n 20")
        self.run("cat /srv/stoma.yaml > /etc/stoma/stoma.yaml")
        # Without a store nothing remembers it: then the service does not start, says why, and does not try again.
        self.run(
            f"systemctl stop {UNIT} && mv /var/lib/stoma /srv/kept && echo 'tusks: {{}}' >> /etc/stoma/stoma.yaml"
        )
        self.run(f"systemctl start {UNIT}", code=1)
        assert "tusks" in self.run(f"journalctl -u {UNIT} -o cat --no-pager -n 20")
        time.sleep(6)
        assert self.machine.shown("ActiveState") == "failed"
        self.run(
            "cat /srv/stoma.yaml > /etc/stoma/stoma.yaml && rm -rf /var/lib/stoma && mv /srv/kept /var/lib/stoma"
        )
        self.run(f"systemctl start {UNIT}")

    def upgraded(self) -> None:
        before = self.count()
        began = time.monotonic()
        told = self.install(self.wheel(2))
        self.facts["upgrade_seconds"] = round(time.monotonic() - began, 1)
        assert "0.1.1 runs as stoma-scheduler" in told
        assert self.is_ready()
        assert self.count() == before
        assert self.run("ls -d /opt/stoma/env-* | wc -l").strip() == "1"
        assert "0.1.1" in self.run("stoma --version")

    def broken_upgrade(self) -> None:
        told = self.install(self.wheel(3), code=1)
        assert "those from before are in use again" in told, told
        assert "0.1.1" in self.run("stoma --version")
        assert self.is_ready()
        assert self.run("ls -d /opt/stoma/env-* | wc -l").strip() == "1"
        # Nor does one that cannot even be installed touch what runs.
        pid = self.machine.shown("MainPID")
        told = self.run(f"PIP_NO_INDEX=1 PIP_FIND_LINKS=/nowhere {INSTALL} {self.wheel(1)}", code=1)
        assert "the packages could not be installed" in told
        assert self.machine.shown("MainPID") == pid
        assert self.run("ls -d /opt/stoma/env-* | wc -l").strip() == "1"

    def from_the_checkout(self) -> None:
        self.run("echo six > /etc/stoma/requirements.txt")
        told = self.install()
        assert "runs as stoma-scheduler" in told
        assert self.is_ready()
        assert "things" in self.run("stoma scheduler list-tasks")
        assert "research" in self.run("stoma scheduler load-preset --preset research")
        assert "up to date" in self.install()

    def uninstalled(self) -> None:
        for _ in range(2):
            told = self.install("--uninstall")
            assert "/var/lib/stoma and the user stoma stay" in told
            self.run(f"systemctl cat {UNIT}", code=1)
            assert self.run("ls -d /opt/stoma /usr/local/bin/stoma* 2>/dev/null", code=2) == ""
        assert self.count() >= 20
        self.run("test -f /etc/stoma/stoma.yaml")
        # Everything is found again.
        self.install(self.wheel(1))
        assert "Thing 7" in self.run("stoma search 'Thing 7'")
        for _ in range(2):
            self.install("--uninstall", "--purge")
        assert (
            self.run(
                "find / -xdev \\( -path /proc -o -path /var/log -o -path /run \\) -prune -o -nouser -print"
            )
            == ""
        )
        self.run("test -e /etc/stoma -o -e /var/lib/stoma -o -e /opt/stoma", code=1)
        self.run("getent passwd stoma", code=2)
        assert self.run("systemctl is-system-running").strip() == "running"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--folder", type=Path, required=True, help="keeps what takes long to make")
    parser.add_argument("--suite", choices=SUITES, default="trixie", help="the release of Debian")
    given = parser.parse_args()
    folder: Path = given.folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    root, shared = make_root(folder, given.suite), make_shared(folder, SUITES[given.suite])
    began = time.monotonic()
    with booted(root, shared) as machine:
        print(
            f"booted in {time.monotonic() - began:.1f} s: {machine.run('systemctl --version').splitlines()[0]}"
        )
        campaign = Campaign(machine)
        try:
            campaign.play()
        except BaseException:
            print(machine.run(f"journalctl -u {UNIT} --no-pager -n 60", code=None))
            raise
    print(json.dumps(campaign.facts, indent=2))


if __name__ == "__main__":
    main()
