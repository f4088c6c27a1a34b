"""The manifests: valid by Kubernetes' own schemas and for the application, and what they do when run."""

import base64
import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import kubernetes_validate
import pytest
import yaml

from conftest import TEMPLATE, Bake, Project, run
from engine import MISSING_ENGINE, docker
from web import ask, free_port, sign_in, wait_for

Manifest = dict[str, Any]
Play = Callable[[list[Manifest]], None]

DATABASES = ("postgresql", "sqlite")
FOLDERS = ("base", "overlays/staging", "overlays/production")
OLDEST = "1.30"  # the README names it

without_kubectl = pytest.mark.skipif(not shutil.which("kubectl"), reason="kubectl is not installed")
each_database = pytest.mark.parametrize("database", DATABASES)
with_and_without_logins = pytest.mark.parametrize("auth", [True, False])
each_folder = pytest.mark.parametrize("folder", FOLDERS)


@cache
def render(project: Project, folder: str) -> list[Manifest]:
    """What `kubectl apply --kustomize` would send to a cluster, of an image that was released."""
    with TemporaryDirectory() as temporary:
        deploy = shutil.copytree(project.path / "deploy", Path(temporary, "deploy"))
        for path in deploy.glob("overlays/*/kustomization.yaml"):
            path.write_text(path.read_text("utf-8").replace("digest: []", f"digest: sha256:{'0' * 64}"), "utf-8")
        done = run(("kubectl", "kustomize", str(deploy / folder)), cwd=project.path)
    assert (done.returncode, done.stderr) == (0, "")
    return list(yaml.safe_load_all(done.stdout))


def one(manifests: list[Manifest], kind: str) -> Manifest:
    [found] = [each for each in manifests if each["kind"] == kind]
    return found


def pod_templates(manifests: list[Manifest]) -> list[Manifest]:
    return [each["spec"]["template"] for each in manifests if "template" in each.get("spec", {})]


def container(manifests: list[Manifest], kind: str = "Deployment") -> Manifest:
    [found] = one(manifests, kind)["spec"]["template"]["spec"]["containers"]
    assert isinstance(found, dict)
    return found


def variables(manifests: list[Manifest]) -> dict[str, str]:
    """What the ConfigMap gives to the container, which names it."""
    settings = one(manifests, "ConfigMap")
    assert {"configMapRef": {"name": settings["metadata"]["name"]}} in container(manifests)["envFrom"]
    return dict(settings["data"])


def secret_names(project: Project) -> set[str]:
    """What the README puts into the Secret."""
    return set(re.findall(r"--from-literal=(\w+)=", project.text("README.md")))


def test_every_file_is_yaml_before_an_answer_is_written_into_it() -> None:
    files = sorted((TEMPLATE / "deploy").rglob("*.yaml"))
    assert files
    for path in files:
        documents = list(yaml.safe_load_all(path.read_text(encoding="utf-8")))
        assert all(document["kind"] for document in documents), path


@without_kubectl
@each_database
def test_the_base_holds_what_its_database_needs_and_nothing_else(bake: Bake, database: str) -> None:
    always = {"ConfigMap", "Deployment", "NetworkPolicy", "Service", "ServiceAccount"}
    own = {
        "postgresql": {"HorizontalPodAutoscaler", "Job", "PodDisruptionBudget"},
        "sqlite": {"PersistentVolumeClaim"},
    }
    project = bake(kubernetes=True, database=database)
    for folder in FOLDERS:
        kinds = [each["kind"] for each in render(project, folder)]
        assert sorted(kinds) == sorted(always | own[database])
    named = {path.name for path in (project.path / "deploy/base").iterdir()} - {"kustomization.yaml"}
    assert named == set(yaml.safe_load(project.text("deploy/base/kustomization.yaml"))["resources"])


@without_kubectl
@pytest.mark.parametrize("name", ["staging", "production"])
def test_an_overlay_is_refused_until_it_names_the_digest_of_an_image(name: str) -> None:
    done = run(("kubectl", "kustomize", TEMPLATE / "deploy/overlays" / name), cwd=TEMPLATE)
    assert done.returncode != 0
    assert "images.digest" in done.stderr


@without_kubectl
@each_database
@each_folder
@pytest.mark.parametrize("version", [OLDEST, kubernetes_validate.latest_version()])
def test_kubernetes_accepts_every_document(bake: Bake, database: str, folder: str, version: str) -> None:
    project = bake(kubernetes=True, database=database)
    assert f"Kubernetes {OLDEST} or newer" in project.text("README.md")
    for manifest in render(project, folder):
        kubernetes_validate.validate(manifest, version, strict=True)


@without_kubectl
@pytest.mark.parametrize("slug", ["on", "null", "a" * 50])
def test_any_slug_is_a_name_to_kubernetes(bake: Bake, slug: str) -> None:
    for manifest in render(bake(kubernetes=True, project_slug=slug), "overlays/production"):
        kubernetes_validate.validate(manifest, kubernetes_validate.latest_version(), strict=True)
        names = (manifest["metadata"]["name"], manifest["metadata"]["namespace"])
        assert all(name.startswith(slug) and len(name) <= 63 for name in names)
        assert manifest["metadata"]["labels"]["app.kubernetes.io/name"] == slug


@without_kubectl
@each_database
@each_folder
def test_every_pod_is_confined_and_bounded(bake: Bake, database: str, folder: str) -> None:
    project = bake(kubernetes=True, database=database)
    user = int(re.findall(r"^USER (\d+)$", project.text("Dockerfile"), re.MULTILINE)[-1])
    manifests = render(project, folder)
    assert one(manifests, "ServiceAccount")["automountServiceAccountToken"] is False
    for template in pod_templates(manifests):
        pod = template["spec"]
        assert pod["serviceAccountName"] == one(manifests, "ServiceAccount")["metadata"]["name"]
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["runAsUser"] == user
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert {"hostNetwork", "hostPID", "hostIPC", "initContainers"}.isdisjoint(pod)
        for each in pod["containers"]:
            assert each["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert {*each["resources"]["requests"]} == {*each["resources"]["limits"]} == {"cpu", "memory"}
            assert "/tmp" in [mount["mountPath"] for mount in each["volumeMounts"]]  # noqa: S108 - a name in the pod
        assert {name["name"] for name in pod["volumes"]} == {
            mount["name"] for each in pod["containers"] for mount in each["volumeMounts"]
        }


@without_kubectl
@each_database
def test_what_is_probed_is_what_the_application_serves(bake: Bake, environment: Path, database: str) -> None:
    project = bake(kubernetes=True, database=database)
    show = "import json; from api.main import app; print(json.dumps(app.openapi()['paths']))"
    done = project.run(environment / "python", "-c", show)
    served = json.loads(done.stdout)
    dockerfile = project.text("Dockerfile")
    api = container(render(project, "base"))

    [port] = api["ports"]
    assert re.findall(r"^EXPOSE (\d+)$", dockerfile, re.MULTILINE) == [str(port["containerPort"])]
    assert re.findall(r"--bind=0\.0\.0\.0:(\d+)", dockerfile) == [str(port["containerPort"])]
    probes = {name: api[f"{name}Probe"]["httpGet"] for name in ("startup", "liveness", "readiness")}
    assert {probe["port"] for probe in probes.values()} == {port["name"]}
    assert all("get" in served[probe["path"]] for probe in probes.values())

    # Liveness, which restarts a pod, uses no database; readiness only takes it out of service.
    assert "503" not in served[probes["liveness"]["path"]]["get"]["responses"]
    assert "503" in served[probes["readiness"]["path"]]["get"]["responses"]
    assert probes["startup"] == probes["liveness"]

    [service_port] = one(render(project, "base"), "Service")["spec"]["ports"]
    assert service_port["targetPort"] == port["name"]
    [rule] = one(render(project, "base"), "NetworkPolicy")["spec"]["ingress"]
    assert [each["port"] for each in rule["ports"]] == [port["name"]]


@without_kubectl
@each_database
@each_folder
def test_every_selector_finds_the_pods_it_is_meant_for(bake: Bake, database: str, folder: str) -> None:
    manifests = render(bake(kubernetes=True, database=database), folder)
    labels = {
        each["kind"]: each["spec"]["template"]["metadata"]["labels"]
        for each in manifests
        if "spec" in each and "template" in each["spec"]
    }

    def found(selector: dict[str, str]) -> set[str]:
        assert selector
        return {kind for kind, own in labels.items() if selector.items() <= own.items()}

    deployment = one(manifests, "Deployment")
    selectors = [
        deployment["spec"]["selector"]["matchLabels"],
        one(manifests, "Service")["spec"]["selector"],
        *(each["spec"]["selector"]["matchLabels"] for each in manifests if each["kind"] == "PodDisruptionBudget"),
        *(
            each["labelSelector"]["matchLabels"]
            for each in deployment["spec"]["template"]["spec"].get("topologySpreadConstraints", [])
        ),
    ]
    assert len(selectors) == (4 if database == "postgresql" else 2)
    assert all(found(selector) == {"Deployment"} for selector in selectors)
    assert found(one(manifests, "NetworkPolicy")["spec"]["podSelector"]["matchLabels"]) == set(labels)
    for scaler in (each for each in manifests if each["kind"] == "HorizontalPodAutoscaler"):
        target = scaler["spec"]["scaleTargetRef"]
        assert (target["kind"], target["name"]) == ("Deployment", deployment["metadata"]["name"])


@without_kubectl
@each_folder
def test_a_rollout_keeps_at_least_two_pods_serving(bake: Bake, folder: str) -> None:
    manifests = render(bake(kubernetes=True), folder)
    deployment = one(manifests, "Deployment")["spec"]
    assert "replicas" not in deployment  # it would undo the autoscaler's work
    assert one(manifests, "HorizontalPodAutoscaler")["spec"]["minReplicas"] >= 2
    assert deployment["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    assert one(manifests, "PodDisruptionBudget")["spec"]["maxUnavailable"] == 1


@without_kubectl
@each_folder
def test_a_file_has_one_pod_at_a_time(bake: Bake, folder: str) -> None:
    manifests = render(bake(kubernetes=True, database="sqlite"), folder)
    deployment = one(manifests, "Deployment")["spec"]
    assert (deployment["replicas"], deployment["strategy"]) == (1, {"type": "Recreate"})
    volumes = {each["name"]: each for each in deployment["template"]["spec"]["volumes"]}
    [mount] = [each for each in container(manifests)["volumeMounts"] if each["mountPath"] == "/data"]
    claim = volumes[mount["name"]]["persistentVolumeClaim"]["claimName"]
    assert claim == one(manifests, "PersistentVolumeClaim")["metadata"]["name"]
    assert container(manifests)["startupProbe"]["failureThreshold"] >= 3600  # a migration may take long
    assert one(manifests, "PersistentVolumeClaim")["spec"]["accessModes"] == ["ReadWriteOncePod"]


@without_kubectl
@each_database
def test_the_grace_period_of_a_pod_covers_every_phase_of_a_stop(bake: Bake, environment: Path, database: str) -> None:
    project = bake(kubernetes=True, database=database)
    printed = project.run(environment / "gunicorn", "--print-config", "api.main:app").stdout
    [graceful] = map(int, re.findall(r"^graceful_timeout += (\d+)$", printed, re.MULTILINE))
    manifests = render(project, "base")
    pause = container(manifests)["lifecycle"]["preStop"]["sleep"]["seconds"]
    drain = int(variables(manifests)["DRAIN_SECONDS"])
    assert pause >= 5
    assert drain >= 5
    period = one(manifests, "Deployment")["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
    assert period > pause + drain + graceful


@without_kubectl
@each_folder
def test_all_pods_together_stay_below_the_connections_of_a_default_postgresql(bake: Bake, folder: str) -> None:
    manifests = render(bake(kubernetes=True), folder)
    settings = variables(manifests)
    surge = one(manifests, "Deployment")["spec"]["strategy"]["rollingUpdate"]["maxSurge"]
    leaving = 1
    pods = one(manifests, "HorizontalPodAutoscaler")["spec"]["maxReplicas"] + surge + leaving
    pool = int(settings["DATABASE_POOL_SIZE"]) + int(settings["DATABASE_MAX_OVERFLOW"])
    migration, reserved = 1, 3
    assert pods * int(settings["WEB_CONCURRENCY"]) * pool + migration <= 100 - reserved


@without_kubectl
@each_database
@with_and_without_logins
def test_production_starts_with_the_settings_and_the_secret_of_the_readme(
    bake: Bake, environment: Path, tmp_path: Path, database: str, *, auth: bool
) -> None:
    project = bake(kubernetes=True, database=database, auth=auth)
    settings = variables(render(project, "overlays/production"))
    values = {"DATABASE_URL": "postgresql://user:word@host/name", "SECRET_KEY": "x" * 64}
    secret = {name: values[name] for name in secret_names(project)}
    show = "from api.dependencies.settings import load_settings as s; print(*s().model_dump())"
    python = (environment / "python", "-c", show)
    started = run(python, cwd=tmp_path, env={"PYTHONPATH": str(project.path), **settings, **secret})
    assert started.returncode == 0, started.stderr
    assert settings["ENVIRONMENT"] == "production"
    assert ("FORWARDED_ALLOW_IPS" in settings) is auth  # else each client has the address of the proxy
    assert {name.lower() for name in (*settings, *secret)} <= set(started.stdout.split())
    for missing in secret:
        others = {name: value for name, value in secret.items() if name != missing}
        refused = run(python, cwd=tmp_path, env={"PYTHONPATH": str(project.path), **settings, **others})
        assert missing in refused.stderr


@without_kubectl
@each_database
@with_and_without_logins
def test_no_secret_is_in_the_manifests_and_the_one_named_is_the_readmes(
    bake: Bake, database: str, *, auth: bool
) -> None:
    project = bake(kubernetes=True, database=database, auth=auth)
    manifests = render(project, "overlays/production")
    wanted = {name for name, on in {"SECRET_KEY": auth, "DATABASE_URL": database == "postgresql"}.items() if on}
    assert secret_names(project) == wanted
    assert "Secret" not in {each["kind"] for each in manifests}
    assert secret_names(project).isdisjoint(variables(manifests))
    sources = [each["secretRef"]["name"] for each in container(manifests)["envFrom"] if "secretRef" in each]
    if database == "postgresql":
        [variable] = container(manifests, "Job")["env"]
        key = variable["valueFrom"]["secretKeyRef"]
        assert variable["name"] == key["key"] in secret_names(project)
        sources.append(key["name"])
    assert set(sources) == set(re.findall(r"create secret generic (\S+)", project.text("README.md")))


@without_kubectl
@each_database
@pytest.mark.parametrize("telemetry", [True, False])
def test_pods_may_call_what_their_settings_name_and_nothing_else(bake: Bake, database: str, *, telemetry: bool) -> None:
    manifests = render(bake(kubernetes=True, database=database, telemetry=telemetry), "base")
    policy = one(manifests, "NetworkPolicy")["spec"]
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    open_ports = {port["port"] for rule in policy.get("egress", []) for port in rule["ports"]}
    called = {5432} if database == "postgresql" else set()
    assert "OTEL_EXPORTER_OTLP_ENDPOINT" not in variables(manifests)  # until a collector that exists is named
    names = {53} if called or telemetry else set()
    assert open_ports == called | names


@without_kubectl
@each_database
def test_each_overlay_has_its_namespace_and_a_tag_that_stays(bake: Bake, database: str) -> None:
    project = bake(kubernetes=True, database=database, telemetry=True)
    for name in ("staging", "production"):
        manifests = render(project, f"overlays/{name}")
        assert {each["metadata"]["namespace"] for each in manifests} == {f"budget-api-{name}"}
        images = {each["image"] for pod in pod_templates(manifests) for each in pod["spec"]["containers"]}
        assert images == {f"registry.example.com/budget-api@sha256:{'0' * 64}"}
        assert variables(manifests)["OTEL_RESOURCE_ATTRIBUTES"] == f"deployment.environment.name={name}"


@without_kubectl
@each_database
def test_the_readme_names_what_is_there(bake: Bake, database: str) -> None:
    project = bake(kubernetes=True, database=database)
    manifests = render(project, "overlays/staging")
    there = {f"{each['kind'].lower()}/{each['metadata']['name']}" for each in manifests}
    commands = re.findall(r"^kubectl .*", project.text("README.md"), re.MULTILINE)
    named = {f"{kind}/{name}" for line in commands for kind, name in re.findall(r"(job|deployment)[ /](\S+)", line)}
    assert named == {name for name in there if name.startswith(("job/", "deployment/"))}
    assert set(re.findall(r"--namespace (\S+)", "\n".join(commands))) == {"budget-api-staging"}
    for folder in re.findall(r"--kustomize (\S+)", "\n".join(commands)):
        assert project.has(f"{folder}/kustomization.yaml")


@without_kubectl
def test_the_job_runs_the_command_that_compose_runs(bake: Bake) -> None:
    project = bake(kubernetes=True)
    composed = yaml.safe_load(project.text("compose.yaml"))["services"]["migrate"]["command"]
    assert container(render(project, "base"), "Job")["command"] == composed


SLUG = "budget-api-played"
SECRET = {
    "DATABASE_URL": f"postgresql://postgres:example@{SLUG}-database/postgres",
    "SECRET_KEY": "0123456789" * 4,
}


def podman(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run podman, or what the variable PODMAN names in its place."""
    return run((os.environ.get("PODMAN", "podman"), *arguments), cwd=Path.cwd())


def load(image: str, archive: Path) -> None:
    """Copy an image from Docker's engine; podman calls it `localhost/IMAGE`."""
    docker("save", "--output", archive, image)
    loaded = podman("load", "--quiet", "--input", archive)
    archive.unlink()
    if loaded.returncode != 0:
        pytest.skip(f"podman can't load an image here: {loaded.stderr.strip()}")


@pytest.fixture
def play(tmp_path: Path) -> Iterator[Play]:
    """Start manifests, which stop when the test ends; each time in the place of what has the same name."""
    if MISSING_ENGINE:
        pytest.skip(MISSING_ENGINE)
    if not shutil.which(os.environ.get("PODMAN", "podman")):
        pytest.skip("podman is not installed")
    played: list[Path] = []

    def play(manifests: list[Manifest]) -> None:
        path = tmp_path / f"{manifests[-1]['metadata']['name']}.yaml"
        path.write_text(yaml.safe_dump_all(manifests), encoding="utf-8")
        played.append(path)
        done = podman("kube", "play", "--replace", path)
        assert done.returncode == 0, done.stdout + done.stderr

    yield play
    for path in reversed(list(dict.fromkeys(played))):
        podman("kube", "down", path)
    podman("volume", "rm", "--force", SLUG)
    podman("secret", "rm", SLUG)
    podman("rmi", "--force", f"localhost/{SLUG}")
    docker("rmi", "--force", SLUG)


def build(project: Project, folder: Path) -> None:
    """Build the image, and try whether podman can run it."""
    docker("build", "--quiet", "--tag", SLUG, project.path)
    load(SLUG, folder / "image.tar")
    ran = podman("run", "--rm", "--network=none", f"localhost/{SLUG}", "python", "--version")
    if ran.returncode != 0:
        pytest.skip(f"podman can't run a container here: {ran.stderr.strip().splitlines()[-1]}")


def playable(manifests: list[Manifest], *kinds: str, port: int | None = None) -> list[Manifest]:
    """What podman can run of the manifests, with the image that was built, and a port to reach it at."""
    found = json.loads(json.dumps([one(manifests, kind) for kind in kinds]))
    for pod in pod_templates(found):
        for each in pod["spec"]["containers"]:
            each |= {"image": f"localhost/{SLUG}:latest", "imagePullPolicy": "Never"}
            for published in each.get("ports", ()):
                published |= {"hostIP": "127.0.0.1", "hostPort": port}
    assert isinstance(found, list)
    return found


def create_secret(folder: Path, *names: str) -> None:
    """Keep the Secret as podman reads it: as JSON, since podman 4 can't read one that it made of a manifest."""
    path = folder / "secret.json"
    path.write_text(json.dumps({name: base64.b64encode(SECRET[name].encode()).decode() for name in names}))
    created = podman("secret", "create", SLUG, path)
    assert created.returncode == 0, created.stderr


def start_database(play: Play, folder: Path) -> None:
    """Run PostgreSQL in a pod of its own, which others reach under its name."""
    if podman("image", "exists", "localhost/postgres:17").returncode != 0:
        load("postgres:17", folder / "postgres.tar")
    name = f"{SLUG}-database"
    server = {
        "name": "server",
        "image": "localhost/postgres:17",
        "imagePullPolicy": "Never",
        "env": [{"name": "POSTGRES_PASSWORD", "value": "example"}],
    }
    metadata = {"name": name, "labels": {"app": name}}
    play([{"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"containers": [server]}}])
    ready = ("exec", f"{name}-server", "pg_isready", "--host=127.0.0.1")
    deadline = time.monotonic() + 60
    while podman(*ready).returncode != 0:
        assert time.monotonic() < deadline, podman("logs", f"{name}-server").stderr
        time.sleep(0.2)


def running_container() -> str:
    """Name the Deployment's one container; versions of podman do it differently."""
    [name] = podman("ps", f"--filter=name={SLUG}-pod.*-api$", "--format={{.Names}}").stdout.split()
    return name


def assert_confined(container: str) -> None:
    """Check from inside the container that the manifest is applied."""
    status = podman("exec", container, "cat", "/proc/1/status")
    assert status.returncode == 0, status.stderr
    said = dict(line.split(":\t", 1) for line in status.stdout.splitlines() if ":\t" in line)
    assert said["Uid"].split() == ["10001"] * 4
    assert (int(said["CapEff"], 16), int(said["CapBnd"], 16)) == (0, 0)
    assert (said["NoNewPrivs"], said["Seccomp"]) == ("1", "2")
    assert "Read-only file system" in podman("exec", container, "touch", "/app/file").stderr
    assert podman("exec", container, "touch", "/tmp/file").returncode == 0  # noqa: S108 - a name in the pod


@pytest.mark.slow
@pytest.mark.docker
@without_kubectl
def test_the_deployment_waits_for_its_migration_and_then_serves(bake: Bake, play: Play, tmp_path: Path) -> None:
    project = bake(kubernetes=True, project_slug=SLUG)
    manifests = render(project, "overlays/production")
    probes = {name: container(manifests)[f"{name}Probe"]["httpGet"]["path"] for name in ("liveness", "readiness")}
    build(project, tmp_path)
    start_database(play, tmp_path)
    create_secret(tmp_path, "DATABASE_URL", "SECRET_KEY")

    port = free_port()
    server = f"http://127.0.0.1:{port}"
    play(playable(manifests, "ConfigMap", "Deployment", port=port))
    assert wait_for(f"{server}{probes['liveness']}").status == 200
    behind = wait_for(f"{server}{probes['readiness']}")
    assert (behind.status, behind.body["type"]) == (503, "urn:problem:schema-behind")

    # podman has no Jobs, so the Job's pod runs by itself.
    [job] = playable(manifests, "Job")
    migration = {"apiVersion": "v1", "kind": "Pod", **job["spec"]["template"]}
    migration["metadata"] |= {"name": job["metadata"]["name"]}
    play([migration])
    migrate = f"{SLUG}-migrate-migrate"
    assert podman("wait", migrate).stdout.strip() == "0", podman("logs", migrate).stderr

    assert ask("GET", f"{server}{probes['readiness']}").status == 200
    token = sign_in(server)
    assert ask("POST", f"{server}/v1/budgets", {"name": "Household", "limit": "1.00"}, token).status == 201
    started = running_container()
    assert_confined(started)
    assert podman("stop", "--time=9", started).returncode == 0
    assert podman("inspect", "--format={{.State.ExitCode}}", started).stdout.strip() == "0"


@pytest.mark.slow
@pytest.mark.docker
@without_kubectl
def test_what_is_written_to_a_file_is_there_in_the_next_pod(bake: Bake, play: Play, tmp_path: Path) -> None:
    project = bake(kubernetes=True, database="sqlite", project_slug=SLUG)
    manifests = render(project, "overlays/production")
    readiness = container(manifests)["readinessProbe"]["httpGet"]["path"]
    build(project, tmp_path)
    create_secret(tmp_path, "SECRET_KEY")
    for expected, kinds in (
        (201, ("ConfigMap", "PersistentVolumeClaim", "Deployment")),
        (409, ("ConfigMap", "Deployment")),
    ):
        port = free_port()
        server = f"http://127.0.0.1:{port}"
        play(playable(manifests, *kinds, port=port))
        assert wait_for(f"{server}{readiness}").status == 200
        user = {"email": "ada@example.com", "password": "seven green owls knit"}
        assert ask("POST", f"{server}/v1/users", user).status == expected
        assert_confined(running_container())
