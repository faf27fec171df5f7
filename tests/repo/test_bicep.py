"""The Bicep holds: it compiles in kind, its types are Azure's, and it is as locked down as we say."""

import fnmatch
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from shared.settings import LOCAL_ONLY, PREFIX, Settings, load_settings
from tests.repo.bicep_text import INFRA, ROOT, declarations
from tests.repo.infra_rules import (
    app_settings,
    broad_roles,
    custom_role_actions,
    insecure_values,
    keys_read,
    role_assignments,
    settings_not_on_flex,
)

if TYPE_CHECKING:
    import subprocess

Broken = Callable[[str, str, str], Path]
Types = Callable[[Path], tuple[int, str]]
Tool = Callable[..., "subprocess.CompletedProcess[str]"]
pytestmark = pytest.mark.timeout(900)  # the type tables are read once a machine, a second for each resource type

RIGHTS_PAGE = ROOT / "docs/decisions/0030-rights-in-azure.md"


def test_every_resource_property_and_parameter_is_one_that_azure_knows(bicep_types: Types) -> None:
    code, output = bicep_types(INFRA)

    assert code == 0, output
    assert re.search(r"^\d+ files, 0 errors, 0 warnings", output, re.MULTILINE), output


@pytest.mark.parametrize(
    ("file", "old", "new", "expected"),
    [
        ("modules/function-app.bicep", "httpsOnly: true", "httpOnly: true", "httpOnly"),
        ("modules/data-storage.bicep", "minimumTlsVersion: 'TLS1_2'", "minimumTlsVersion: 12", "minimumTlsVersion"),
        ("modules/training.bicep", "vmPriority: 'Dedicated'", "vmPriorty: 'Dedicated'", "vmPriorty"),
        ("main.bicep", "instanceMemoryMB: instanceMemoryMB", "memoryMB: instanceMemoryMB", "memoryMB"),
        ("prod.bicepparam", "param storageSku", "param storagSku", "storagSku"),
        ("modules/alerts.bicep", "tags: tags", "tags: tgs", "tgs"),
    ],
)
def test_a_wrong_name_or_value_is_refused(  # noqa: PLR0913, PLR0917 - the case is the arguments
    broken_infra: Broken, bicep_types: Types, file: str, old: str, new: str, expected: str
) -> None:
    code, said = bicep_types(broken_infra(file, old, new))

    assert code != 0
    assert expected in said


@pytest.fixture(scope="session")
def checkov(tool: Tool) -> Callable[[Path], dict[str, Any]]:
    def run(folder: Path) -> dict[str, Any]:
        done = tool(
            "checkov", "--framework", "bicep", "--directory", str(folder), "--output", "json", "--skip-download"
        )
        assert "Failed to run check" not in done.stderr, done.stderr
        report: dict[str, Any] = json.loads(done.stdout)
        return report

    return run


@pytest.fixture(scope="session")
def report(checkov: Callable[[Path], dict[str, Any]]) -> dict[str, Any]:
    return checkov(INFRA)


def test_checkov_reads_every_file_and_finds_nothing(report: dict[str, Any]) -> None:
    assert report["results"]["parsing_errors"] == []
    assert report["summary"]["resource_count"] > 100
    assert [(one["check_id"], one["resource"]) for one in report["results"]["failed_checks"]] == []


def test_what_checkov_is_told_to_skip_has_a_reason(report: dict[str, Any]) -> None:
    skipped = report["results"]["skipped_checks"]

    assert [one["resource"] for one in skipped if len(one["check_result"]["suppress_comment"]) < 10] == []


def test_checkov_sees_an_app_that_takes_plain_http(
    broken_infra: Broken, checkov: Callable[[Path], dict[str, Any]]
) -> None:
    found = checkov(broken_infra("modules/function-app.bicep", "httpsOnly: true", "httpsOnly: false"))

    assert {one["check_id"] for one in found["results"]["failed_checks"]} >= {"CKV_AZURE_70"}


def test_no_resource_has_keys_passwords_or_public_data() -> None:
    assert insecure_values(INFRA) == []
    assert keys_read(INFRA) == []


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("modules/data-storage.bicep", "allowSharedKeyAccess: false", "allowSharedKeyAccess: true"),
        ("modules/training.bicep", "    allowSharedKeyAccess: false\n", ""),
        ("modules/data-storage.bicep", "publicAccess: 'None'", "publicAccess: 'Blob'"),
        ("modules/data-storage.bicep", "allowBlobPublicAccess: false", "allowBlobPublicAccess: true"),
        ("modules/cluster.bicep", "disableLocalAccounts: true", "disableLocalAccounts: false"),
        ("modules/monitoring.bicep", "DisableLocalAuth: true", "DisableLocalAuth: false"),
        ("modules/training.bicep", "adminUserEnabled: false", "adminUserEnabled: true"),
        ("modules/function-app.bicep", "    allow: false", "    allow: true"),
    ],
)
def test_a_loosened_switch_is_seen(broken_infra: Broken, file: str, old: str, new: str) -> None:
    assert insecure_values(broken_infra(file, old, new))


def test_a_key_that_passes_through_a_deployment_is_seen(broken_infra: Broken) -> None:
    folder = broken_infra(
        "modules/function-app.bicep",
        "AzureWebJobsStorage__credential: 'managedidentity'",
        "AzureWebJobsStorage: account.listKeys().keys[0].value",
    )

    assert keys_read(folder)


def test_every_right_is_in_the_decision_page_and_nothing_else_is_granted() -> None:
    assert {row[:4] for row in _rights_told()} == role_assignments(INFRA)
    assert all(len(row[4]) > 20 for row in _rights_told())


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        (
            "modules/data-storage.bicep",
            "module appOnData 'container-access.bicep'",
            "module notAnyMore 'nothing.bicep'",
        ),
        ("modules/monitoring.bicep", "scope: insights\n", "scope: workspace\n"),
        ("modules/cluster-access.bicep", "  scope: cluster\n", ""),
        ("modules/data-storage.bicep", "containerName: data.name", "containerName: package.name"),
    ],
)
def test_a_missing_or_moved_right_is_seen(broken_infra: Broken, file: str, old: str, new: str) -> None:
    assert role_assignments(broken_infra(file, old, new)) != {row[:4] for row in _rights_told()}


def test_only_what_belongs_to_azure_ml_alone_has_a_broad_role() -> None:
    assert broad_roles(INFRA) == []


def test_a_broad_role_elsewhere_is_seen(broken_infra: Broken) -> None:
    folder = broken_infra(
        "modules/monitoring.bicep",
        "'3913510d-42f4-4e42-8a64-420c390055eb' // Monitoring Metrics Publisher",
        "'b24988ac-6180-42a0-ab88-20f7382dd24c' // Contributor",
    )

    assert broad_roles(folder)


def test_sizing_a_cluster_takes_three_actions() -> None:
    assert custom_role_actions(INFRA)["modules/cluster-role.bicep"] == [
        "Microsoft.ContainerService/managedClusters/read",
        "Microsoft.ContainerService/managedClusters/agentPools/read",
        "Microsoft.ContainerService/managedClusters/agentPools/write",
    ]


@pytest.mark.parametrize(
    "action",
    [
        "computes/write",
        "computes/delete",
        "datastores/write",
        "datastores/listSecrets/action",
        "models/versions/write",
        "onlineEndpoints/write",
        "connections/write",
        "listKeys/action",
        "write",
        "delete",
    ],
)
def test_who_may_submit_jobs_may_not_do_more(action: str) -> None:
    granted = [one.replace("${aml}/", "") for one in custom_role_actions(INFRA)["modules/training.bicep"]]

    assert [one for one in granted if fnmatch.fnmatchcase(action, one)] == []


def test_no_custom_role_may_do_everything_or_grant_rights() -> None:
    actions = [action for one in custom_role_actions(INFRA).values() for action in one]

    assert [action for action in actions if action in {"*", "*/write", "*/read"} or "Authorization" in action] == []


def test_the_app_settings_in_bicep_are_those_that_the_app_reads() -> None:
    known = {PREFIX + name.upper() for name in Settings.model_fields if name not in LOCAL_ONLY}

    assert app_settings(INFRA) == known


def test_the_app_accepts_the_settings_that_bicep_gives_it() -> None:
    settings = load_settings(
        dict.fromkeys(app_settings(INFRA), "")
        | {
            "FORESCALE_BACKEND": "azure",
            "FORESCALE_STORAGE_ACCOUNT_URL": "https://stfsexample.blob.core.windows.net",
            "FORESCALE_CONTAINER": "modeldata",
            "FORESCALE_CLOUD": "public",
            "FORESCALE_RETRAINING_BACKEND": "azureml",
        }
    )

    assert settings.arm_endpoint is None


def test_the_defaults_of_bicep_are_those_of_the_settings() -> None:
    defaults = {one.name: one.head.rpartition("= ")[2].strip("'") for one in _parameters()}

    assert defaults["schedule"] == Settings.model_fields["schedule"].default
    assert defaults["watchSchedule"] == Settings.model_fields["watch_schedule"].default
    assert defaults["dataContainerName"] == Settings.model_fields["container"].default
    assert defaults["trainingComputeName"] == Settings.model_fields["aml_compute"].default
    assert defaults["trainingExperiment"] == Settings.model_fields["aml_experiment"].default


def test_no_setting_is_one_that_flex_consumption_refuses() -> None:
    assert settings_not_on_flex(INFRA) == []


def test_every_parameter_of_the_template_says_what_it_is_for() -> None:
    assert [one.name for one in declarations() if one.kind == "param" and "@description(" not in one.decorators] == []


def test_every_file_that_bicep_loads_is_there() -> None:
    loaded = [
        (file.parent / name)
        for file in INFRA.rglob("*.bicep")
        for name in re.findall(r"loadTextContent\('([^']+)'\)", file.read_text(encoding="utf-8"))
    ]

    assert loaded
    assert [str(path) for path in loaded if not path.is_file()] == []


def test_azd_finds_the_template_and_the_app() -> None:
    text = (ROOT / "azure.yaml").read_text(encoding="utf-8")
    outputs = {one.name for one in declarations() if one.kind == "output" and one.file == "main.bicep"}

    assert "path: infra" in text
    assert "host: function" in text
    assert {"AZURE_RESOURCE_GROUP", "AZURE_FUNCTION_APP_NAME"} <= outputs
    assert "'azd-service-name': 'forescale'" in (INFRA / "modules/function-app.bicep").read_text(encoding="utf-8")
    assert "'azd-env-name': environmentName" in (INFRA / "main.bicep").read_text(encoding="utf-8")


def _parameters() -> list[Any]:
    return [one for one in declarations() if one.kind == "param" and one.file == "main.bicep" and "= '" in one.head]


def _rights_told() -> list[tuple[str, str, str, str, str]]:
    rows = [line for line in RIGHTS_PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
    cells = [[cell.strip().replace("`", "") for cell in row.strip("| ").split("|")] for row in rows]
    return [(who, role, scope, file, why) for who, role, scope, file, why in cells]
