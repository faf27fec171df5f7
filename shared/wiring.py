"""Joins the shared ports to Azure or to this machine, by settings; Azure's packages are imported only when used."""

from collections.abc import Sequence
from functools import lru_cache

from shared.clock import Clock, system_clock
from shared.errors import BlobNotFound, ConfigurationError, PoolUnknown
from shared.local.directory_blobs import DirectoryBlobs
from shared.local.fast_clock import local_clock
from shared.pools import POOLS_FILE, Pool, read_pools
from shared.ports import Blobs
from shared.settings import Backend, Settings
from shared.validation import SHOWN_CHARACTERS


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


def pools(settings: Settings, names: Sequence[str] = ()) -> tuple[Pool, ...]:
    """Read and check the pools file, anew each time: a change takes effect at once. Without names, all of its pools.

    Raises :class:`~shared.errors.ConfigurationError` for a file that is missing or wrong,
    :class:`~shared.errors.PoolUnknown` for a name that it does not have, and what reading a blob raises.
    """
    try:
        blob = blobs_of(settings).read(POOLS_FILE)
    except BlobNotFound as exc:
        msg = f"{exc}: upload a pools file (docs/settings.md shows one)"
        raise ConfigurationError(msg) from exc
    found = read_pools(blob.data)
    known = {pool.name for pool in found}
    unknown = [name for name in names if name not in known]
    if unknown:
        has = ", ".join(pool.name for pool in found)
        msg = f"{POOLS_FILE} has no pool {unknown[0][:SHOWN_CHARACTERS]!r}; it has {has}: name one of those, or add it"
        raise PoolUnknown(msg)
    return tuple(pool for pool in found if not names or pool.name in names)


def clock_of(settings: Settings) -> Clock:
    """Return the clock to live by: the machine's, or with the local backend perhaps a faster one."""
    return local_clock(blobs_of(settings)) if settings.backend is Backend.LOCAL else system_clock
