"""Joins the shared ports to Azure or to this machine, by settings; Azure's packages are imported only when used."""

from functools import lru_cache

from shared.clock import Clock, system_clock
from shared.local.directory_blobs import DirectoryBlobs
from shared.local.fast_clock import local_clock
from shared.ports import Blobs
from shared.settings import Backend, Settings


@lru_cache(maxsize=4)
def blobs_of(settings: Settings) -> Blobs:
    """Return the container that the settings name."""
    if settings.backend is Backend.LOCAL:
        return DirectoryBlobs(settings.local_dir)
    from shared.cloud.azure_blobs import azure_blobs, azure_blobs_from_connection_string  # noqa: PLC0415 - S4

    if settings.storage_connection_string is not None:
        secret = settings.storage_connection_string.get_secret_value()
        return azure_blobs_from_connection_string(secret, settings.container)
    from shared.cloud.identity import app_credential  # noqa: PLC0415 - S4

    assert settings.storage_account_url is not None  # noqa: S101 - the settings model saw to it
    return azure_blobs(settings.storage_account_url, settings.container, app_credential(settings))


def clock_of(settings: Settings) -> Clock:
    """Return the clock to live by: the machine's, or with the local backend perhaps a faster one."""
    return local_clock(blobs_of(settings)) if settings.backend is Backend.LOCAL else system_clock
