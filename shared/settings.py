"""The app's settings: one frozen model, and the one place that reads the environment."""

import os
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from shared.validation import validated

PREFIX = "FORESCALE_"


class Backend(StrEnum):
    """Where blobs, pools and retraining come from."""

    AZURE = "azure"
    LOCAL = "local"


class Cloud(StrEnum):
    """The Azure cloud the pools live in."""

    PUBLIC = "public"
    USGOV = "usgov"
    CHINA = "china"


class RetrainingBackend(StrEnum):
    """What runs a retraining."""

    AZUREML = "azureml"
    AZUREML_JOBS = "azureml_jobs"
    PROCESS = "process"
    NONE = "none"


LOCAL_ONLY = frozenset({"storage_connection_string", "local_dir"})
"""Settings that a deployment in Azure never has."""


class Settings(BaseModel):
    """What an operator sets in the app settings, each as ``FORESCALE_<NAME>``; pools are set in the pools file."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    backend: Backend = Backend.AZURE
    """`azure`, or `local`: a directory and simulated pools on this machine."""

    schedule: Annotated[str, Field(min_length=1)] = "0 */5 * * * *"
    """NCRONTAB (UTC, seconds first) of the `scale` timer. The host reads it, so it must be set in the app settings."""

    watch_schedule: Annotated[str, Field(min_length=1)] = "0 15 * * * *"
    """NCRONTAB (UTC, seconds first) of the `watch_models` timer."""

    storage_account_url: str | None = Field(default=None, pattern=r"^https?://\S+$")
    """Blob endpoint of the storage account, such as `https://<account>.blob.core.windows.net`."""

    storage_connection_string: SecretStr | None = Field(default=None)
    """Connection string of the Azurite emulator, instead of `storage_account_url`. Not for Azure: use the identity."""

    container: Annotated[str, Field(pattern=r"^[a-z0-9](-?[a-z0-9]){2,62}$")] = "modeldata"
    """Blob container that holds configuration, history, models, decisions and state."""

    identity_client_id: str | None = None
    """Client id of the app's user-assigned managed identity; unset: the system-assigned one, or your own login."""

    cloud: Cloud = Cloud.PUBLIC
    """`public`, `usgov` or `china`: decides the sign-in host and the Resource Manager endpoint."""

    arm_endpoint: str | None = Field(default=None, pattern=r"^https?://\S+$")
    """Resource Manager endpoint, where it is not the cloud's own."""

    retraining_backend: RetrainingBackend | None = None
    """`azureml` (SDK v1), `azureml_jobs` (current jobs REST API), `process` (this machine) or `none`.

    Unset: `process` with the local backend, `none` in Azure.
    """

    aml_subscription_id: str | None = None
    """Subscription of the Azure ML workspace."""

    aml_resource_group: str | None = None
    """Resource group of the Azure ML workspace."""

    aml_workspace: str | None = None
    """Name of the Azure ML workspace."""

    aml_compute: str = "train-cluster"
    """Name of the Azure ML compute cluster that trains."""

    aml_experiment: str = "mlopspython"
    """Name of the Azure ML experiment that collects the runs."""

    aml_pipeline: str | None = None
    """Name of a published pipeline (the workshop's `training-pipeline`) to run with `azureml`, instead of our code."""

    aml_identity_client_id: str | None = None
    """Client id of the compute cluster's user-assigned identity; unset: its system-assigned one."""

    local_dir: Path = Field(default=Path(".forescale"))
    """Directory of the local backend."""

    @property
    def retraining(self) -> RetrainingBackend:
        """What runs a retraining, by the setting or, where it is unset, by the backend."""
        unset = RetrainingBackend.PROCESS if self.backend is Backend.LOCAL else RetrainingBackend.NONE
        return self.retraining_backend or unset

    @model_validator(mode="after")
    def _storage_is_named(self) -> "Settings":
        named = [self.storage_account_url, self.storage_connection_string]
        if self.backend is Backend.AZURE and sum(value is not None for value in named) != 1:
            msg = (
                "with FORESCALE_BACKEND=azure set exactly one of FORESCALE_STORAGE_ACCOUNT_URL "
                "(https://<account>.blob.core.windows.net) and FORESCALE_STORAGE_CONNECTION_STRING (Azurite)"
            )
            raise ValueError(msg)
        return self


def load_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Read the settings from the environment; an empty value counts as not set.

    Raises :class:`ConfigurationError` that lists every unknown name and every bad value at once.
    """
    source = os.environ if environ is None else environ
    given = {
        name.removeprefix(PREFIX).lower(): value
        for name, value in source.items()
        if name.startswith(PREFIX) and value != ""
    }
    return validated(Settings, given, name="app settings", spelled=lambda key: PREFIX + key.upper())
