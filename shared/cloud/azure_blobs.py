"""Blobs in an Azure Storage container, through the managed identity or, for Azurite, a connection string."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from azure.core import MatchConditions
from azure.core.exceptions import AzureError, HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.storage.blob import ContainerClient, LinearRetry

from shared.cloud.http_client import DEFAULT_LIMITS, PASSING_STATUSES, USER_AGENT, HttpLimits, timeouts_of
from shared.errors import BlobChanged, BlobNotFound, CloudError, Forbidden, Transient
from shared.ports import Blob

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential
    from azure.storage.blob import BlobClient, StorageStreamDownloader

PASSING = PASSING_STATUSES | {HTTPStatus.TOO_MANY_REQUESTS}


class AzureBlobs:
    """``shared.ports.Blobs`` over one container; safe to share between threads.

    The SDK tries a call that failed in passing twice more by itself, a second apart: see :func:`storage_options`.
    """

    def __init__(self, container: ContainerClient) -> None:
        self._container = container

    def read(self, name: str) -> Blob:
        """See :meth:`shared.ports.Blobs.read`."""
        try:
            return _read_stream(self._blob(name).download_blob())
        except AzureError as exc:
            raise self._read_error(exc, name) from exc

    def read_if_changed(self, name: str, etag: str) -> Blob | None:
        """See :meth:`shared.ports.Blobs.read_if_changed`; an unchanged blob costs one request without a body."""
        try:
            condition = MatchConditions.IfModified
            return _read_stream(self._blob(name).download_blob(etag=etag, match_condition=condition))
        except AzureError as exc:
            if isinstance(exc, HttpResponseError) and exc.status_code == HTTPStatus.NOT_MODIFIED:
                return None
            raise self._read_error(exc, name) from exc

    def write(self, name: str, data: bytes, *, if_etag: str | None) -> str:
        """See :meth:`shared.ports.Blobs.write`."""
        blob = self._blob(name)
        try:
            if if_etag is None:
                answer = blob.upload_blob(data, overwrite=False)
            else:
                answer = blob.upload_blob(
                    data, overwrite=True, etag=if_etag, match_condition=MatchConditions.IfNotModified
                )
        except AzureError as exc:
            status = exc.status_code if isinstance(exc, HttpResponseError) else None
            if status in {HTTPStatus.CONFLICT, HTTPStatus.PRECONDITION_FAILED}:
                msg = f"{name!r} in container {self._container.container_name!r} was changed by another writer"
                raise BlobChanged(msg) from exc
            raise self._translated(exc, "writing", name) from exc
        return str(answer["etag"])

    def append(self, name: str, data: bytes) -> None:
        """See :meth:`shared.ports.Blobs.append`; one append block, which the service applies whole or not at all."""
        blob = self._blob(name)
        try:
            try:
                blob.append_block(data)
            except ResourceNotFoundError:
                _create_append_blob(blob)
                blob.append_block(data)
        except AzureError as exc:
            raise self._translated(exc, "appending to", name) from exc

    def names(self, prefix: str) -> Sequence[str]:
        """See :meth:`shared.ports.Blobs.names`."""
        try:
            return sorted(self._container.list_blob_names(name_starts_with=prefix))
        except AzureError as exc:
            raise self._translated(exc, "listing", prefix) from exc

    def _read_error(self, exc: AzureError, name: str) -> BlobNotFound | CloudError:
        if isinstance(exc, ResourceNotFoundError):
            return BlobNotFound(f"there is no {name!r} in container {self._container.container_name!r}")
        return self._translated(exc, "reading", name)

    def _blob(self, name: str) -> "BlobClient":
        return self._container.get_blob_client(name)

    def _translated(self, exc: AzureError, doing: str, name: str) -> CloudError:
        where = f"{doing} {name!r} in container {self._container.container_name!r}"
        if not isinstance(exc, HttpResponseError) or exc.status_code is None:
            return Transient(f"{where} failed: {type(exc).__name__}: {exc.message}")
        code = str(getattr(exc, "error_code", "") or "")
        if exc.status_code in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
            right = "Storage Blob Data Contributor"
            return Forbidden(f"{where} was refused ({exc.status_code} {code}): grant the app {right!r}", code=code)
        kind = Transient if exc.status_code in PASSING else CloudError
        return kind(f"{where} failed ({exc.status_code} {code})", code=code)


def azure_blobs(
    account_url: str, container: str, credential: "TokenCredential", limits: HttpLimits = DEFAULT_LIMITS
) -> AzureBlobs:
    """Blobs of a storage account, through an identity."""
    return AzureBlobs(ContainerClient(account_url, container, credential=credential, **storage_options(limits)))


def azure_blobs_from_connection_string(
    connection_string: str, container: str, limits: HttpLimits = DEFAULT_LIMITS
) -> AzureBlobs:
    """Blobs of an account named by a connection string: the emulator; the container is made if it is missing."""
    client = ContainerClient.from_connection_string(connection_string, container, **storage_options(limits))
    try:
        client.create_container()
    except ResourceExistsError:
        pass
    except AzureError as exc:
        msg = f"container {container!r} could not be reached: {type(exc).__name__}: {exc.message}"
        raise Transient(msg) from exc
    return AzureBlobs(client)


def storage_options(limits: HttpLimits) -> dict[str, Any]:
    """Return the time-outs and retries of a storage client: a call of one request ends within ``limits.longest``.

    The SDK's own are 20 s to connect, 60 s from byte to byte, and waits of 15, 18, 24, 42 … s between the tries.
    """
    pause_s = max(1, round(limits.pause.total_seconds()))  # the SDK takes whole seconds
    retries = LinearRetry(backoff=pause_s, retry_total=limits.retries, random_jitter_range=0)
    return {**timeouts_of(limits), "retry_policy": retries, "user_agent": USER_AGENT}


def _read_stream(stream: "StorageStreamDownloader[bytes]") -> Blob:
    about = stream.properties
    return Blob(data=stream.readall(), etag=about.etag, modified_at=about.last_modified)


def _create_append_blob(blob: "BlobClient") -> None:
    """Create the append blob unless another writer did: a plain create would empty what it wrote."""
    try:
        blob.create_append_blob(match_condition=MatchConditions.IfMissing)
    except ResourceExistsError:
        return
    except HttpResponseError as exc:
        if exc.status_code != HTTPStatus.PRECONDITION_FAILED:
            raise
