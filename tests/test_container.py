"""The container's files, judged without building it; `python -m tests.campaigns.container` builds and runs it."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
import yaml

from stoma.api.routes import ROUTES
from stoma.scheduler.config import load_config
from tests.conftest import REPOSITORY

DOCKERFILE = (REPOSITORY / "Dockerfile").read_text(encoding="utf-8")
# Lines that go on are one; what is said to people is left out.
LINES = re.sub(r"\\\n\s*", " ", re.sub(r"(?m)^\s*#.*\n", "", DOCKERFILE)).splitlines()
STEPS = [tuple(line.split(None, 1)) for line in LINES if line.strip()]
COMPOSE: dict[str, Any] = yaml.safe_load((REPOSITORY / "compose.yaml").read_text(encoding="utf-8"))
PINS = [sys.executable, str(REPOSITORY / "scripts" / "pins.py"), str(REPOSITORY / "requirements-dev.txt")]


def said(word: str) -> list[str]:
    """What the Dockerfile says behind a word, in the image that runs for all but ARG and FROM."""
    last = max(number for number, step in enumerate(STEPS) if step[0] == "FROM")
    steps = STEPS if word in ("ARG", "FROM", "COPY", "RUN") else STEPS[last:]
    return [rest for found, rest in steps if found == word]


def test_every_stage_stands_on_the_one_base_that_can_be_chosen() -> None:
    assert STEPS[0] == ("ARG", "BASE_IMAGE=python:3.13-slim")
    assert {rest.split()[0] for rest in said("FROM")} == {"${BASE_IMAGE}"}
    assert "<<" not in DOCKERFILE  # older builders know no text in place


def test_what_runs_is_not_root_and_says_how_it_is_asked_and_stopped() -> None:
    assert said("USER") == ["10001:10001"]
    assert said("STOPSIGNAL") == ["SIGTERM"]
    assert said("VOLUME") == ['["/data"]']
    assert said("ENTRYPOINT") == ['["stoma-run"]']
    assert said("HEALTHCHECK")[0].endswith('CMD ["python", "-m", "stoma.api.probe"]')
    labels = " ".join(said("LABEL"))
    for name in ("title", "description", "licenses", "version", "revision"):
        assert f"org.opencontainers.image.{name}=" in labels


def test_packages_are_wheels_with_the_pinned_hashes_and_nothing_else() -> None:
    installs = re.findall(r"pip .*?install .*?(?=&&|$)", " ".join(said("RUN")))
    assert len(installs) == 3
    for install in installs:
        is_pinned = "--require-hashes" in install and "--only-binary :all:" in install
        assert is_pinned or ("--no-index" in install and "--no-deps" in install), install


def test_what_is_copied_is_there_and_not_left_out() -> None:
    rules = (REPOSITORY / ".dockerignore").read_text().splitlines()
    assert rules[1] == "*"
    kept = [rule[1:] for rule in rules if rule.startswith("!")]
    copied = [source for rest in said("COPY") if "--from" not in rest for source in rest.split()[:-1]]
    assert copied
    for source in copied:
        assert (REPOSITORY / source).exists(), source
        assert any(fnmatch(source, rule) for rule in kept), f"{source} is left out by .dockerignore"
    assert sorted(kept) == sorted(copied)


def test_pins_of_some_packages_are_those_and_what_they_need() -> None:
    def pinned(*names: str) -> set[str]:
        done = subprocess.run([*PINS, *names], capture_output=True, text=True, check=True)
        assert done.stdout.count("--hash=sha256:") >= len(names)
        return set(re.findall(r"(?m)^([a-z0-9.-]+)==", done.stdout))

    builder = pinned("hatchling")
    assert {"hatchling", "packaging", "pathspec", "pluggy", "trove-classifiers"} <= builder
    assert not builder & {"pytest", "stoma-scheduler"}
    assert {"apprise", "pyarrow", "markdown", "requests", "certifi"} <= pinned("apprise", "pyarrow")
    assert pinned() == set()
    missing = subprocess.run([*PINS, "no-such-package"], capture_output=True, text=True)
    assert missing.returncode == 1
    assert missing.stderr.startswith("pins: not pinned: no-such-package")


def test_a_service_may_as_little_as_it_needs() -> None:
    stoma = COMPOSE["services"]["stoma"]
    assert stoma["read_only"]
    assert stoma["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in stoma["security_opt"]
    assert stoma["ports"][0].startswith("${STOMA_ADDRESS:-127.0.0.1}:")
    assert "profiles" not in stoma
    assert COMPOSE["services"]["postgres"]["profiles"] == ["postgres"]
    assert {"data", "postgres"} <= set(COMPOSE["volumes"])
    mounts = [volume.rpartition("}")[2] if "$" in volume else volume for volume in stoma["volumes"]]
    assert mounts == ["data:/data", ":/etc/stoma:ro"]
    arguments = {rest.partition("=")[0] for rest in said("ARG")}
    assert set(stoma["build"]["args"]) <= arguments


def test_what_it_runs_is_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    environment = COMPOSE["services"]["stoma"]["environment"]
    default = re.fullmatch(r"\$\{STOMA_STORE_URL:-(.+)\}", environment["STOMA_STORE_URL"])[1]
    config = load_config(REPOSITORY / "deploy" / "container" / "stoma.yaml")
    assert config.tasks
    assert config.store_url == "${env:STOMA_STORE_URL}"
    assert default == "sqlite:///stoma.db"
    for name in re.findall(r"\$\{env:(\w+)\}", f"{config.store_url} {config.contact}"):
        assert name in environment


def test_the_linter_finds_nothing() -> None:
    if not (hadolint := shutil.which("hadolint")):
        pytest.skip("there is no hadolint here")
    done = subprocess.run([hadolint, str(REPOSITORY / "Dockerfile")], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("profile", ["", "postgres"])
def test_compose_understands_its_file(profile: str, tmp_path: Path) -> None:
    docker = shutil.which("docker")
    if not docker or subprocess.run([docker, "compose", "version"], capture_output=True).returncode:
        pytest.skip("there is no docker compose here")
    command = [
        docker,
        "compose",
        "-f",
        str(REPOSITORY / "compose.yaml"),
        "--profile",
        profile,
        "config",
        "-q",
    ]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr


def manifests() -> list[Path]:
    return sorted((REPOSITORY / "deploy" / "kubernetes").glob("*.yaml"))


def objects(path: Path) -> dict[str, dict[str, Any]]:
    """By kind; every kind is there once."""
    found = list(yaml.safe_load_all(path.read_text(encoding="utf-8")))
    assert len({one["kind"] for one in found}) == len(found)
    return {one["kind"]: one for one in found}


@pytest.mark.parametrize("path", manifests(), ids=lambda path: path.stem)
class TestKubernetes:
    """What a schema cannot see: that the parts of a manifest fit together, and Stoma."""

    def test_the_schema_of_the_cluster_takes_it(self, path: Path) -> None:
        validate = pytest.importorskip("kubernetes_validate")
        for one in objects(path).values():
            validate.validate(one, "1.32", strict=True)

    def test_its_parts_fit_together(self, path: Path) -> None:
        found = objects(path)
        spec = found["Deployment"]["spec"]
        labels = spec["template"]["metadata"]["labels"]
        assert spec["selector"]["matchLabels"].items() <= labels.items()
        assert found["Service"]["spec"]["selector"].items() <= labels.items()
        pod = spec["template"]["spec"]
        [container] = pod["containers"]
        ports = {port["name"]: port["containerPort"] for port in container["ports"]}
        assert {port["targetPort"] for port in found["Service"]["spec"]["ports"]} <= set(ports)
        assert ports["http"] == 8000
        assert {mount["name"] for mount in container["volumeMounts"]} == {v["name"] for v in pod["volumes"]}
        for volume in pod["volumes"]:
            if "configMap" in volume:
                assert volume["configMap"]["name"] == found["ConfigMap"]["metadata"]["name"]
            if "persistentVolumeClaim" in volume:
                claim = found["PersistentVolumeClaim"]["metadata"]["name"]
                assert volume["persistentVolumeClaim"]["claimName"] == claim
        routes = {route.path for route in ROUTES if route.method == "GET"}
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            asked = container[probe]["httpGet"]
            assert asked["path"] in routes
            assert asked["port"] in ports
        # A Service called stoma would set STOMA_PORT and the like.
        assert pod["enableServiceLinks"] is False

    def test_it_may_as_little_as_it_needs(self, path: Path) -> None:
        pod = objects(path)["Deployment"]["spec"]["template"]["spec"]
        user = int(said("USER")[0].partition(":")[0])
        assert pod["securityContext"]["runAsNonRoot"]
        assert pod["securityContext"]["runAsUser"] == pod["securityContext"]["fsGroup"] == user
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["automountServiceAccountToken"] is False
        context = pod["containers"][0]["securityContext"]
        assert context["readOnlyRootFilesystem"]
        assert context["allowPrivilegeEscalation"] is False
        assert context["capabilities"] == {"drop": ["ALL"]}

    def test_sqlite_has_one_scheduler(self, path: Path) -> None:
        spec = objects(path)["Deployment"]["spec"]
        is_alone = spec["replicas"] == 1 and spec["strategy"] == {"type": "Recreate"}
        assert is_alone is ("sqlite:" in path.read_text())

    def test_its_stoma_yaml_is_in_order(self, path: Path, tmp_path: Path) -> None:
        found = objects(path)
        for name, text in found["ConfigMap"]["data"].items():
            (tmp_path / name).write_text(text)
        config = load_config(tmp_path / "stoma.yaml")
        [container] = found["Deployment"]["spec"]["template"]["spec"]["containers"]
        environ = {one["name"]: one for one in container["env"]}
        folders = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
        assert environ["STOMA_CONFIG"]["value"] == f"{folders['files']}/stoma.yaml"
        assert config.tasks
        assert {"STOMA_STORE_URL", "STOMA_TOKEN", "STOMA_CONTACT"} <= set(environ)
        assert found["Service"]["metadata"]["name"] in config.api.hosts
        # Secrets come from the Secret that docs/kubernetes.md tells to make.
        page = (REPOSITORY / "docs" / "kubernetes.md").read_text(encoding="utf-8")
        for one in environ.values():
            if reference := one.get("valueFrom", {}).get("secretKeyRef"):
                assert reference["name"] == "stoma"
                assert f"--from-literal={reference['key']}=" in page
