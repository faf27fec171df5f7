"""What we assert of infra/ ourselves, because no checker does: each rule returns its faults, none is an empty list."""

import re
from collections.abc import Iterator
from pathlib import Path

from tests.repo.bicep_text import Declaration, declarations, entries

SECURE_VALUES = {
    "Microsoft.Storage/storageAccounts": {
        "allowSharedKeyAccess": "false",
        "allowBlobPublicAccess": "false",
        "allowCrossTenantReplication": "false",
        "isLocalUserEnabled": "false",
        "minimumTlsVersion": "'TLS1_2'",
        "supportsHttpsTrafficOnly": "true",
    },
    "Microsoft.Storage/storageAccounts/blobServices/containers": {"publicAccess": "'None'"},
    "Microsoft.ContainerService/managedClusters": {
        "disableLocalAccounts": "true",
        "enableAzureRBAC": "true",
        "enableRBAC": "true",
    },
    "Microsoft.Insights/components": {"DisableLocalAuth": "true"},
    "Microsoft.OperationalInsights/workspaces": {"disableLocalAuth": "true"},
    "Microsoft.KeyVault/vaults": {"enableRbacAuthorization": "true", "enablePurgeProtection": "true"},
    "Microsoft.ContainerRegistry/registries": {"adminUserEnabled": "false", "anonymousPullEnabled": "false"},
    "Microsoft.MachineLearningServices/workspaces": {"systemDatastoresAuthMode": "'Identity'"},
    "Microsoft.MachineLearningServices/workspaces/computes": {
        "disableLocalAuth": "true",
        "minNodeCount": "0",
        "remoteLoginPortPublicAccess": "'Disabled'",
    },
    "Microsoft.Web/sites": {"httpsOnly": "true", "ftpsState": "'Disabled'", "minTlsVersion": "'1.2'"},
    "Microsoft.Web/sites/basicPublishingCredentialsPolicies": {"allow": "false"},
}
KEYS_READ = re.compile(r"\b(list(?:Keys|Secrets|AccountSas|ServiceSas|\w*Credentials?)|getSecret)\s*\(")
NOT_ON_FLEX = re.compile(
    r"\b(FUNCTIONS_WORKER_RUNTIME(_VERSION)?|WEBSITE_RUN_FROM_PACKAGE|SCM_DO_BUILD_DURING_DEPLOYMENT|ENABLE_ORYX_BUILD|"
    r"WEBSITE_CONTENT\w*|WEBSITE_TIME_ZONE)\b"
)
SECRET = re.compile(
    r"""(?ix) (AccountKey|SharedAccessSignature|sig)=[\w%+/]{8,}
      | \b\w*(password|secret|account_?key|client_?secret|connection_?string|api_?key|access_?token)\w*
        ["']? \s* [:=] \s* ["']? (?!\$|\{|<|['"]?\s*$|OVERRIDE_USE_MI) [\w+/=.~-]{6,}
      | \$\{\{ \s* secrets\.
      | servicePrincipalKey
    """
)
BROAD_ROLES = {
    "Owner": "8e3af657-a8ff-443c-a75c-2fe8c4bcb635",
    "Contributor": "b24988ac-6180-42a0-ab88-20f7382dd24c",
    "User Access Administrator": "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9",
}
OWN_OF_AZURE_ML = {"storage", "vault", "registry", "insights"}


def insecure_values(folder: Path) -> list[str]:
    """Every resource whose switches are not as they must be, missing ones included."""
    return [
        f"{one.file}: {one.name}.{key} is {one.value(key) or 'missing'}, not {wanted}"
        for one in _resources(folder)
        for key, wanted in SECURE_VALUES.get(one.type, {}).items()
        if one.value(key) != wanted
    ]


def keys_read(folder: Path) -> list[str]:
    """Every place where a key or a secret would pass through a deployment."""
    return _lines(folder, "*.bicep", KEYS_READ)


def settings_not_on_flex(folder: Path) -> list[str]:
    """Every app setting that Flex Consumption refuses."""
    return _lines(folder, "*.bicep", NOT_ON_FLEX)


def secrets_in_pipelines(folder: Path) -> list[str]:
    """Every line of a pipeline that holds a secret, or asks for a stored one."""
    return [
        *_lines(folder, "*.yml", SECRET),
        *_lines(folder, "*.bicepparam", SECRET),
        *_lines(folder, "*.py", SECRET),
    ]


def broad_roles(folder: Path) -> list[str]:
    """Every assignment of a role that may do anything, outside what belongs to Azure ML alone."""
    return [
        f"{one.file}: {one.name} grants {name} on {one.value('scope') or 'everything'}"
        for one in _assignments(folder)
        for name, role in BROAD_ROLES.items()
        if role in _role_of(one, folder)
        and not (one.file == "modules/training.bicep" and one.value("scope") in OWN_OF_AZURE_ML)
    ]


def role_assignments(folder: Path) -> set[tuple[str, str, str, str]]:
    """Every right that is granted: to whom, which role, on what, in which file."""
    direct = {
        (one.value("principalId"), _role_of(one, folder), one.value("scope") or "(the whole scope)", one.file)
        for one in _assignments(folder)
        if one.file != "modules/container-access.bicep"
    }
    on_containers = {
        (
            one.value("principalId"),
            f"blob {one.value('role') or 'contributor'}",
            f"container {one.value('containerName')}",
            one.file,
        )
        for one in declarations(folder)
        if one.kind == "module" and one.type.endswith("container-access.bicep")
    }
    return direct | on_containers


def custom_role_actions(folder: Path) -> dict[str, list[str]]:
    """The actions of every custom role, by the file that defines it."""
    return {
        one.file: re.findall(r"'([^']+)'", _spelled_out(one.value("actions"), one, folder))
        for one in _resources(folder)
        if one.type == "Microsoft.Authorization/roleDefinitions"
    }


def app_settings(folder: Path) -> set[str]:
    """The settings of ours that the function app is given."""
    (app,) = [one for one in declarations(folder) if one.kind == "module" and one.name == "app"]
    return set(entries(app.value("settings")))


def _resources(folder: Path) -> Iterator[Declaration]:
    return (one for one in declarations(folder) if one.kind == "resource" and not one.is_existing)


def _assignments(folder: Path) -> Iterator[Declaration]:
    return (one for one in _resources(folder) if one.type == "Microsoft.Authorization/roleAssignments")


def _role_of(assignment: Declaration, folder: Path) -> str:
    """The role as a comment beside its id names it, or the name of the custom role's resource."""
    reference = re.split(r"[,\s]+", assignment.value("roleDefinitionId").rstrip(")"))[-1]
    key = reference.split(".")[-1]
    text = (folder / assignment.file).read_text(encoding="utf-8")
    found = re.search(rf"\b{re.escape(key)}(?:: | = )'([0-9a-f-]{{36}})' // (.+)", text)
    return f"{found.group(2)} {found.group(1)}" if found else f"custom {reference.split('.')[0]}"


def _spelled_out(actions: str, one: Declaration, folder: Path) -> str:
    """The actions, with the variables that hold them replaced by what they hold."""
    held = {other.name: other.body for other in declarations(folder) if other.file == one.file and other.kind == "var"}
    return re.sub(r"\b\w+Actions\b", lambda word: held.get(word.group(), ""), actions)


def _lines(folder: Path, pattern: str, rule: re.Pattern[str]) -> list[str]:
    return [
        f"{file.relative_to(folder)}:{number}: {line.strip()}"
        for file in sorted(folder.rglob(pattern))
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1)
        if rule.search(line)
    ]
