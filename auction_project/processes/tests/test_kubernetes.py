"""docker/kubernetes as kubectl renders it: valid by the schemas of Kubernetes, and in agreement with the table of roles, the
gateway and the settings."""

import functools
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from django.conf import settings

from auction_project.kernel.messaging import metrics
from auction_project.management.commands import web
from auction_project.processes import gateway, roles, running

VERSION = "1.35"  # of the schemas: the oldest one that is still maintained
DIRECTORY = Path(settings.BASE_DIR) / "docker" / "kubernetes"
OVERLAY = DIRECTORY / "overlays" / "example"
KUBECTL = Path(sys.executable).parent / "kubectl"
# What docker/secrets prints, and the second key of a rotation; the variables of the gateway alone are not in .env.example.
KEY_IDS = {"JWT_KEY_ID", "JWT_SECOND_KEY_ID"}
OWN_NAMES = [role for role in roles.ROLES if role.name != "web"]  # whose deployment has the name of the role
# The role of each deployment: the web role has one for each pool.
DEPLOYMENTS = dict.fromkeys(roles.POOLS, "web") | {role.name: role.name for role in OWN_NAMES}


@functools.cache
def rendered() -> list[dict[str, Any]]:
    """All objects of the example overlay, which has the bank, too."""
    argv = [str(KUBECTL), "kustomize", str(OVERLAY)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return list(yaml.safe_load_all(done.stdout))


def of_kind(kind: str) -> dict[str, dict[str, Any]]:
    """By name, without the `gavel-` that all but policies begin with."""
    return {
        each["metadata"]["name"].removeprefix("gavel-"): each for each in rendered() if each["kind"] == kind
    }


def pod_of(workload: dict[str, Any]) -> dict[str, Any]:
    pod: dict[str, Any] = workload["spec"]["template"]["spec"]
    return pod


def workloads() -> dict[str, dict[str, Any]]:
    return of_kind("Deployment") | of_kind("Job")


def container_of(name: str) -> dict[str, Any]:
    (container,) = pod_of(workloads()[name])["containers"]
    assert isinstance(container, dict)
    return container


def settings_of(name: str) -> dict[str, str]:
    """The variables of a container that are no secrets; those of `env` come last, as in a cluster."""
    container, given = container_of(name), dict[str, str]()
    maps = {each["metadata"]["name"]: each["data"] for each in rendered() if each["kind"] == "ConfigMap"}
    for source in container.get("envFrom", ()):
        given |= maps[source["configMapRef"]["name"]] if "configMapRef" in source else {}
    return given | {each["name"]: each["value"] for each in container.get("env", ()) if "value" in each}


def secrets_of(name: str) -> set[str]:
    return {
        source["secretRef"]["name"]
        for source in container_of(name).get("envFrom", ())
        if "secretRef" in source
    }


def env_file(path: Path) -> dict[str, str]:
    lines = path.read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def container_values() -> dict[str, str]:
    """What the gateway has in every container."""
    return env_file(gateway.DIRECTORY / "containers.env")


def test_every_object_is_valid_by_the_schemas_of_kubernetes() -> None:
    for each in rendered():
        kubernetes_validate.validate(each, VERSION, strict=True)


def test_every_role_and_pool_has_a_deployment_and_no_other_process_has_one() -> None:
    assert set(of_kind("Deployment")) == set(DEPLOYMENTS)


@pytest.mark.parametrize("role", [role for role in OWN_NAMES if role.name != "gateway"])
def test_a_deployment_runs_the_command_of_its_role_with_its_queues(role: roles.Role) -> None:
    program, *arguments = container_of(role.name)["command"]

    expected = list(role.command)
    if expected[0] == "-m":
        assert [program, *arguments] == expected[1:]
    else:
        assert (program, arguments[: len(expected)]) == ("python", expected)
    if role.queues:
        assert arguments[arguments.index("-Q") + 1] == ",".join(role.queues)


@pytest.mark.parametrize(("pool", "apps"), roles.POOLS.items())
def test_a_pool_serves_its_apps_on_the_port_where_the_gateway_looks(pool: str, apps: tuple[str, ...]) -> None:
    service, ports = (
        of_kind("Service")[pool]["spec"],
        {port["name"]: port["containerPort"] for port in container_of(pool)["ports"]},
    )

    assert container_of(pool)["command"] == ["python", "manage.py", "web", "--host", "0.0.0.0"]  # noqa: S104
    assert settings_of(pool)["SERVICES"] == ",".join(apps)
    assert (service["clusterIP"], service["publishNotReadyAddresses"]) == ("None", True)
    (port,) = service["ports"]
    assert (port["port"], ports[port["targetPort"]]) == (8000, 8000)
    assert (
        settings_of("gateway")[f"GATEWAY_{pool.upper()}"]
        == f"gavel-{pool}.$(NAMESPACE).svc.cluster.local:8000"
    )


def test_the_gateway_gets_every_value_that_its_command_makes() -> None:
    container = container_of("gateway")
    named = {each["name"] for each in container["env"]} | settings_of("gateway").keys()
    bound = {value.rpartition(":")[2] for name, value in container_values().items() if name.endswith("_BIND")}

    assert gateway.values(bind=":8000").keys() <= named
    assert settings_of("gateway")["GATEWAY_HOST"] in settings_of("site")["ALLOWED_HOSTS"].split(",")
    assert {str(port["containerPort"]) for port in container["ports"]} == bound | {"8443"}
    assert container["command"] == ["sh", "/gateway/start"]
    files = next(each for each in rendered() if each["metadata"]["name"].startswith("gavel-gateway-files"))[
        "data"
    ]
    assert files == {
        path: (gateway.DIRECTORY / path).read_text() for path in ("haproxy.cfg", "unavailable.html", "start")
    }


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_a_process_is_probed_on_its_private_port(name: str) -> None:
    container = container_of(name)
    private = next(port["containerPort"] for port in container["ports"] if port["name"] == "private")
    paths = {kind: container[f"{kind}Probe"]["httpGet"] for kind in ("startup", "liveness", "readiness")}

    assert {kind: (get["path"], get["port"]) for kind, get in paths.items()} == {
        "startup": ("/livez", "private"),
        "liveness": ("/livez", "private"),
        "readiness": ("/readyz", "private"),
    }
    assert str(private) == (
        settings_of(name).get("GAVEL_HEALTH_PORT") or container_values()["GATEWAY_PRIVATE_BIND"][1:]
    )
    assert settings_of(name).get("GAVEL_HEALTH_HOST", "0.0.0.0") == "0.0.0.0"  # noqa: S104


@pytest.mark.parametrize(("name", "role"), DEPLOYMENTS.items())
def test_a_process_has_time_to_drain_before_it_is_killed(name: str, role: str) -> None:
    grace, container = (
        pod_of(of_kind("Deployment")[name])["terminationGracePeriodSeconds"],
        container_of(name),
    )
    hook = container.get("lifecycle", {}).get("preStop", {}).get("exec", {}).get("command", [])
    before = float(" ".join(hook).rpartition("sleep ")[2] or 0)

    if role == "web":
        assert hook[:2] == ["sh", "-c"]
        assert hook[2].startswith("kill -USR1 1 && ")
        assert before > web.LEAVE_SECONDS
        assert grace > before + web.GRACE_SECONDS
    elif role == "gateway":
        stop = re.search(r"hard-stop-after (\d+)s", (gateway.DIRECTORY / "haproxy.cfg").read_text())
        assert stop is not None
        assert before > 0
        assert grace > before + int(stop[1])
    else:
        assert not hook
        assert grace > running.DRAIN_SECONDS


def test_every_variable_is_one_that_gavel_reads_and_no_secret_is_in_the_repository() -> None:
    known = set(env_file(Path(settings.BASE_DIR) / ".env.example"))
    secret = set(env_file(OVERLAY / "secrets.example.env"))

    for name in workloads():
        named = settings_of(name).keys() | {each["name"] for each in container_of(name).get("env", ())}
        assert {each for each in named if not each.startswith("GATEWAY_")} - known <= {"NAMESPACE"}, name
    assert secret <= known
    assert not [each for each in rendered() if each["kind"] == "Secret"]
    assert not secret & settings_of("site").keys()
    for value in env_file(OVERLAY / "secrets.example.env").values():
        assert "PASSWORD" in value


@pytest.mark.parametrize("name", ["site", "bids", "worker", "migrate"])
def test_production_starts_with_what_a_process_gets(name: str) -> None:
    printed = subprocess.run(
        ["sh", str(DIRECTORY.parent / "secrets")], capture_output=True, text=True, check=True
    ).stdout
    made = dict(line.split("=", 1) for line in printed.splitlines())
    signing = {"JWT_PRIVATE_KEY": made.pop("JWT_PRIVATE_KEY")}
    given = settings_of(name) | env_file(OVERLAY / "secrets.example.env") | made
    given |= signing if "gavel-signing" in secrets_of(name) else {}

    started = subprocess.run(
        [sys.executable, "-c", "from django.conf import settings; settings.SECRET_KEY"],
        cwd=settings.BASE_DIR,
        env=given | {"DJANGO_SETTINGS_MODULE": "auction_project.settings.production"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert started.returncode == 0, started.stderr


def test_the_private_key_of_tokens_reaches_the_processes_that_sign_alone() -> None:
    signing = {name for name in workloads() if "gavel-signing" in secrets_of(name)}

    assert signing == {pool for pool, apps in roles.POOLS.items() if "accounts" in apps}


@pytest.mark.parametrize("name", [*DEPLOYMENTS, "migrate"])
def test_a_container_can_write_nothing_but_its_volumes_and_is_not_root(name: str) -> None:
    pod, container = pod_of(workloads()[name]), container_of(name)

    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] > 0
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    assert container["securityContext"] == {
        "readOnlyRootFilesystem": True,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
    }
    assert {"requests", "limits"} <= container["resources"].keys()
    assert ("/tmp", "tmp") in {(mount["mountPath"], mount["name"]) for mount in container["volumeMounts"]}
    assert {mount["name"] for mount in container["volumeMounts"]} == {
        volume["name"] for volume in pod["volumes"]
    }


def test_selectors_find_their_own_pods_and_no_others() -> None:
    labels = {name: each["spec"]["template"]["metadata"]["labels"] for name, each in workloads().items()}

    def selected(selector: dict[str, str]) -> set[str]:
        return {name for name, own in labels.items() if selector.items() <= own.items()}

    for name, deployment in of_kind("Deployment").items():
        assert selected(deployment["spec"]["selector"]["matchLabels"]) == {name}
        (spread,) = pod_of(deployment)["topologySpreadConstraints"]
        assert selected(spread["labelSelector"]["matchLabels"]) == {name}
        assert selected(of_kind("PodDisruptionBudget")[name]["spec"]["selector"]["matchLabels"]) == {name}
    for name, service in of_kind("Service").items():
        assert selected(service["spec"]["selector"]) == {name}
    assert set(of_kind("PodDisruptionBudget")) == set(of_kind("Deployment"))


def test_roles_whose_copies_share_the_work_grow_by_cpu_and_consumers_by_lag() -> None:
    scaled = of_kind("HorizontalPodAutoscaler")

    assert set(scaled) == {*roles.POOLS, "consume", "worker", "mail"}
    for name, each in scaled.items():
        assert each["spec"]["scaleTargetRef"]["name"] == f"gavel-{name}"
        assert (
            "replicas" not in of_kind("Deployment")[name]["spec"]
        )  # an update would undo what the autoscaler did
        assert each["spec"]["metrics"][0]["resource"]["name"] == "cpu"
    places = {
        pool: int(count)
        for pool, count in re.findall(
            r"server-template (\w+)- (\d+) ", (gateway.DIRECTORY / "haproxy.cfg").read_text()
        )
    }
    assert all(scaled[pool]["spec"]["maxReplicas"] <= places[pool] for pool in roles.POOLS)
    (lag,) = [each["external"]["metric"]["name"] for each in scaled["consume"]["spec"]["metrics"][1:]]
    (rule,) = yaml.safe_load((DIRECTORY / "prometheus-adapter.yaml").read_text())["rules"]["external"]
    assert lag == rule["name"]["as"] == next(iter(metrics.LAG.describe())).name
    assert rule["seriesQuery"].startswith(f"{lag}{{")


def may(direction: str, source: str, target: str, port: str) -> bool:
    """Whether the policies let `source` open a connection to the named port of `target`, by the policies of one side."""
    labels = {name: each["spec"]["template"]["metadata"]["labels"] for name, each in workloads().items()}
    own, other = (source, target) if direction == "Egress" else (target, source)
    for policy in of_kind("NetworkPolicy").values():
        if direction not in policy["spec"]["policyTypes"] or not _matches(
            policy["spec"]["podSelector"], labels[own]
        ):
            continue
        for rule in policy["spec"].get(direction.lower(), ()):
            peers = rule.get("to" if direction == "Egress" else "from")
            is_peer = peers is None or any(
                "podSelector" in peer and _matches(peer["podSelector"], labels[other]) for peer in peers
            )
            if is_peer and any(each["port"] == port for each in rule["ports"]):
                return True
    return False


def _matches(selector: dict[str, Any], labels: dict[str, str]) -> bool:
    return selector.get("matchLabels", {}).items() <= labels.items() and all(
        labels.get(each["key"]) in each["values"] for each in selector.get("matchExpressions", ())
    )


def test_only_the_gateway_reaches_the_pools_and_only_payers_reach_the_bank() -> None:
    names, ways = workloads(), set()
    for source in names:
        for target in names:
            for port in ("web", "private", "bank"):
                if may("Egress", source, target, port) and may("Ingress", source, target, port):
                    ways.add((source, target, port))

    assert ways == {("gateway", pool, "web") for pool in roles.POOLS} | {
        (source, "bank", "bank") for source in ("orders", "site", "worker")
    }


def test_without_a_rule_nothing_passes_and_only_prometheus_reads_private_ports() -> None:
    policies = of_kind("NetworkPolicy")
    everything = policies["nothing-else"]["spec"]
    reading = [
        (rule.get("from"), port["port"])
        for policy in policies.values()
        for rule in policy["spec"].get("ingress", ())
        for port in rule["ports"]
        if port["port"] == "private"
    ]

    assert everything == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    monitoring = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}
    assert reading == [([monitoring], "private")]


def test_only_processes_of_the_image_reach_the_stores_and_only_at_the_addresses_of_the_site() -> None:
    policy = of_kind("NetworkPolicy")["roles-reach-stores"]["spec"]
    labels = {name: each["spec"]["template"]["metadata"]["labels"] for name, each in workloads().items()}
    (rule,) = policy["egress"]

    reaching = {name for name, own in labels.items() if _matches(policy["podSelector"], own)}
    assert reaching == set(workloads()) - {"gateway"}
    assert rule["to"] == [{"ipBlock": {"cidr": "10.20.0.0/24"}}]
    assert [each["port"] for each in rule["ports"]] == [5432, 27017, 6379, 9092]
