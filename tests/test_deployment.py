"""The image and the deployment: what Dockerfile, compose.yaml and their lock must hold, and that each rule fires."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from compose_spec import PyCompose
from dockerfile_parse import DockerfileParser

from pipelines.settings import PROJECT, declared

DOCKERFILE = (PROJECT / "Dockerfile").read_text(encoding="utf-8")
COMPOSE = (PROJECT / "compose.yaml").read_text(encoding="utf-8")
LOCK = (PROJECT / "locks" / "deploy.txt").read_text(encoding="utf-8")
ADDRESS = re.compile(r"https?://|--(extra-)?index-url")
SECRET = re.compile(r"KEY|PASSWORD|TOKEN|SECRET|POSTGRES_URL|WEBHOOK")


def image_faults(text: str, folder: Path) -> set[str]:
    """What is wrong with a Dockerfile, by the name of the rule."""
    path = folder / "Dockerfile"
    path.write_text(text, encoding="utf-8")
    lines = DockerfileParser(str(path)).structure
    starts = [number for number, line in enumerate(lines) if line["instruction"] == "FROM"]
    last = lines[starts[-1] :]
    runs = [line["value"] for line in lines if line["instruction"] == "RUN"]
    users = [line["value"] for line in last if line["instruction"] == "USER"]
    copied = [
        source
        for line in lines
        if line["instruction"] == "COPY" and "--from" not in line["value"]
        for source in line["value"].split()[:-1]
    ]
    allowed = {
        line[1:] for line in (PROJECT / ".dockerignore").read_text(encoding="utf-8").splitlines() if line[:1] == "!"
    }
    faults = {
        "one stage only": len(starts) < 2,
        "base image without a version": any(
            lines[number]["value"].split()[0].endswith(":latest") or ":" not in lines[number]["value"].split()[0]
            for number in starts
        ),
        "runs as root": not users or users[-1].split(":")[0] in ("root", "0"),
        "a user that only has a name": any(not user.split(":")[0].isdigit() for user in users),
        "packages without hashes": any(
            "pip install" in run and "--require-hashes" not in run and "--no-deps" not in run for run in runs
        ),
        "an address of an index": bool(ADDRESS.search("\n".join(runs))),
        "apt lists are kept": any("apt-get install" in run and "rm -rf /var/lib/apt/lists" not in run for run in runs),
        "recommended packages": any(
            run.count("apt-get install") != run.count("--no-install-recommends") for run in runs
        ),
        "a secret in the image": any(
            SECRET.search(line["value"]) for line in lines if line["instruction"] in ("ENV", "ARG")
        ),
        "a shell before the program": any(
            not line["value"].startswith("[") for line in lines if line["instruction"] in ("CMD", "ENTRYPOINT")
        ),
        "everything is copied": "." in copied,
        "copies what is not there": any(source != "." and not (PROJECT / source).exists() for source in copied),
        "copies what the builder is not given": any(source.split("/")[0] not in allowed | {"."} for source in copied),
        "no Chinese font": not any("fonts-noto-cjk" in run for run in runs),
    }
    return {name for name, found in faults.items() if found}


def compose_faults(text: str) -> set[str]:
    """What is wrong with a compose.yaml: not of the specification, or against a rule by its name."""
    plain = yaml.safe_load(text)
    try:
        PyCompose.from_yaml(yaml.safe_dump(plain))
    except ValueError as error:
        return {f"not of the specification: {error}"}
    services, volumes = plain["services"], plain["volumes"]
    variables = {each.variable for each in declared()}
    ours = {name: service for name, service in services.items() if service["image"] == "gongkai"}
    mounted = [mount.split(":")[0] for service in services.values() for mount in service["volumes"]]
    given = [item for service in services.values() for item in service["environment"].items()]
    faults = {
        "a service without a health check": any("healthcheck" not in service for service in services.values()),
        "a volume that is not declared": any(not name.startswith(".") and name not in volumes for name in mounted),
        "a volume that nobody mounts": any(name not in mounted for name in volumes),
        "does not wait for health": any(
            need["condition"] != "service_healthy"
            for service in services.values()
            for need in service.get("depends_on", {}).values()
        ),
        "waits for what is not there": any(
            need not in services for service in services.values() for need in service.get("depends_on", {})
        ),
        "a secret as text": any(SECRET.search(name) and "${" not in str(value) for name, value in given),
        "a setting that does not exist": any(
            name.startswith("GONGKAI_") and name not in variables
            for service in ours.values()
            for name in service["environment"]
        ),
        "open to the network": any(
            not port.startswith("127.0.0.1:") for service in services.values() for port in service.get("ports", [])
        ),
        "an image without a version": any(
            ":" not in service["image"] for name, service in services.items() if name not in ours
        ),
        "more rights than needed": any(
            service.get("cap_drop") != ["ALL"] or not service.get("read_only") for service in ours.values()
        ),
    }
    return {name for name, found in faults.items() if found}


def test_the_image_breaks_no_rule(tmp_path):
    assert image_faults(DOCKERFILE, tmp_path) == set()


@pytest.mark.parametrize(
    ("rule", "old", "new"),
    [
        ("runs as root", "USER 10001:10001", "USER root"),
        ("runs as root", "USER 10001:10001\n", ""),
        ("a user that only has a name", "USER 10001:10001", "USER gongkai"),
        ("packages without hashes", "--require-hashes ", ""),
        ("an address of an index", "--require-hashes ", "--require-hashes --index-url https://example.org/simple "),
        ("apt lists are kept", "    && rm -rf /var/lib/apt/lists/*", "    && true"),
        ("recommended packages", "apt-get install -y --no-install-recommends fonts", "apt-get install -y fonts"),
        ("a secret in the image", "ENV PATH=/opt/gongkai/bin:$PATH \\", "ENV GONGKAI_CKAN_KEY=abc \\"),
        ("a shell before the program", 'CMD ["gongkai", "--help"]', "CMD gongkai --help"),
        ("everything is copied", "COPY schemas schemas", "COPY . ."),
        ("copies what is not there", "COPY schemas schemas", "COPY schema schemas"),
        ("copies what the builder is not given", "COPY schemas schemas", "COPY tests tests"),
        ("no Chinese font", "fonts-noto-cjk ", ""),
        ("base image without a version", "FROM python:${PYTHON}\n", "FROM python\n"),
        ("one stage only", "FROM python:${PYTHON} AS build\n", ""),
    ],
)
def test_a_defect_planted_in_the_image_is_found(tmp_path, rule, old, new):
    assert old in DOCKERFILE
    assert rule in image_faults(DOCKERFILE.replace(old, new, 1), tmp_path)


def test_the_deployment_breaks_no_rule():
    assert compose_faults(COMPOSE) == set()


@pytest.mark.parametrize(
    ("rule", "old", "new"),
    [
        ("not of the specification", "condition: service_healthy", "condition: service_well"),
        ("not of the specification", "timeout: 5s", "patience: 5s"),
        ("not of the specification", "retries: 10", "retries: ten"),
        ("a service without a health check", "    healthcheck:\n", "    x-healthcheck:\n"),
        ("a volume that is not declared", "      - records:/", "      - record:/"),
        ("a volume that nobody mounts", "      - records:/", "      - data:/"),
        ("does not wait for health", "condition: service_healthy", "condition: service_started"),
        ("waits for what is not there", "code: {condition", "cod: {condition"),
        ("a secret as text", "GONGKAI_CKAN_KEY: ${GONGKAI_CKAN_KEY:-}", "GONGKAI_CKAN_KEY: abcdef"),
        ("a setting that does not exist", "GONGKAI_BASE_URL: $", "GONGKAI_BASE_ADDRESS: $"),
        ("open to the network", "127.0.0.1:3000:3000", "3000:3000"),
        ("an image without a version", "image: postgres:17", "image: postgres"),
        ("more rights than needed", "cap_drop: [ALL]", "cap_drop: [NET_ADMIN]"),
    ],
)
def test_a_defect_planted_in_the_deployment_is_found(rule, old, new):
    assert old in COMPOSE
    assert any(found.startswith(rule) for found in compose_faults(COMPOSE.replace(old, new, 1)))


def test_the_services_find_each_other():
    workspace = yaml.safe_load((PROJECT / "deploy" / "workspace.yaml").read_text(encoding="utf-8"))
    (server,) = (entry["grpc_server"] for entry in workspace["load_from"])
    services = yaml.safe_load(COMPOSE)["services"]
    assert server["host"] in services
    assert str(server["port"]) in services[server["host"]]["command"]
    place = "/etc/gongkai/workspace.yaml"
    assert f"COPY deploy/workspace.yaml {place}" in DOCKERFILE
    assert all(place in services[name]["command"] for name in ("webserver", "daemon"))


def test_the_lock_of_the_image_names_no_index():
    assert "locks/deploy.txt" in DOCKERFILE
    assert ADDRESS.search(LOCK) is None
