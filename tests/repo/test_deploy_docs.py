"""What the documents say of deploying is what there is to deploy."""

import re
from pathlib import Path

from tests.repo.bicep_text import INFRA, ROOT, declarations
from tests.repo.infra_rules import app_settings

README = (ROOT / "README.md").read_text(encoding="utf-8")
DEPLOY = (ROOT / "docs/deploy.md").read_text(encoding="utf-8")
MIGRATING = (ROOT / "docs/migrating-from-the-workshop.md").read_text(encoding="utf-8")


def test_the_readme_deploys_in_five_commands() -> None:
    section = README.split("## Deploy\n")[1].split("\n## ")[0]
    commands = [line for line in section.split("```sh\n")[1].split("```")[0].splitlines() if line]

    assert len(commands) <= 5
    assert [line.split()[0] for line in commands if line.split()[0] not in {"az", "func", "export"}] == []


def test_outputs_that_documents_ask_for_exist() -> None:
    outputs = {one.name for one in declarations() if one.kind == "output" and one.file == "main.bicep"}
    asked = set(re.findall(r"properties\.outputs\.(\w+)", README + DEPLOY))

    assert asked
    assert asked <= outputs


def test_parameters_and_files_that_documents_name_exist() -> None:
    parameters = {one.name for one in declarations() if one.kind == "param" and one.file == "main.bicep"}
    named = set(re.findall(r"`(\w+)=\w+`", DEPLOY + MIGRATING)) | set(re.findall(r"parameter `(\w+)`", MIGRATING))
    files = set(re.findall(r"`(infra/[\w./-]+\.\w+)`", README + DEPLOY + MIGRATING))

    assert {name for name in named if name[0].islower()} <= parameters
    assert [file for file in files if not (ROOT / file).exists()] == []


def test_every_name_that_workshop_users_know_has_its_place(seed_folder: Path) -> None:
    names_known = (seed_folder / "README.md").read_text(encoding="utf-8").split("## Names that its users know")[1]
    names = set(re.findall(r"`([A-Z_]{3,}|[\w-]+-vg|AzureResourceConnection|<BASE_NAME>[\w-]+)`", names_known))

    assert len(names) > 15
    assert [name for name in sorted(names) if name not in MIGRATING] == []


def test_settings_that_the_migration_names_are_given_by_the_template() -> None:
    assert set(re.findall(r"`(FORESCALE_\w+)`", MIGRATING)) <= app_settings(INFRA)


def test_every_alert_is_explained() -> None:
    assert [file.stem for file in (INFRA / "queries").glob("*.kql") if f"| `{file.stem}` |" not in DEPLOY] == []


def test_the_shape_of_the_workshop_is_a_parameter_file() -> None:
    text = (INFRA / "workshop.bicepparam").read_text(encoding="utf-8")

    assert "'atDevDayCluster'" in text
    assert "param newClusterVmSize = 'Standard_D2_v3'" in text
    assert "param newClusterNodes = 1" in text
    assert "param newClusterAutoscalerMax = 0" in text
