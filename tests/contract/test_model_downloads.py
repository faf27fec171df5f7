"""What a tick with an unchanged model costs at the storage account, counted on the wire."""

import socket
from collections.abc import Iterator

import pytest
from azure.storage.blob import ContainerClient

from shared.cloud.azure_blobs import AzureBlobs, azure_blobs_from_connection_string
from shared.demand.blob_source import BlobDemandSource
from shared.demand.csv_format import write_demand_csv
from shared.errors import CloudError, Forbidden, Transient
from shared.forecasting.store import ModelStore
from shared.pools import BlobDemand
from tests.builders import NOW, draft_card, flat
from tests.conftest import azurite_connection_string
from tests.fakes.counting_proxy import Passed, counting_proxy

pytestmark = pytest.mark.azurite


@pytest.fixture
def wire(azurite_port: int) -> Iterator[Passed]:
    with counting_proxy(azurite_port) as passed:
        yield passed


@pytest.fixture
def blobs(wire: Passed, container: str) -> AzureBlobs:
    return azure_blobs_from_connection_string(azurite_connection_string(wire.port), container)


def test_an_unchanged_model_costs_one_request_without_a_body(blobs: AzureBlobs, wire: Passed, container: str) -> None:
    store = ModelStore(blobs)
    store.publish(draft_card(version="1"), {})
    store.promote("web", "1", now_utc=NOW, reason="")
    model = store.latest("web")
    wire.forget()

    again = store.latest("web")

    assert again is model
    assert wire.requests == [("GET", f"/devstoreaccount1/{container}/models/web/latest.json", 304, 0)]


def test_a_pointer_that_names_the_same_version_costs_no_model_download(blobs: AzureBlobs, wire: Passed) -> None:
    store = ModelStore(blobs)
    store.publish(draft_card(version="1"), {})
    store.promote("web", "1", now_utc=NOW, reason="")
    store.latest("web")
    store.promote("web", "1", now_utc=NOW, reason="named again")
    wire.forget()

    store.latest("web")

    assert [path.rsplit("/", 1)[1] for _, path, _, _ in wire.requests] == ["latest.json"]


def test_unchanged_demand_is_not_downloaded_again(blobs: AzureBlobs, wire: Passed) -> None:
    blobs.write("demand.csv", write_demand_csv(flat(5.0)).encode(), if_etag=None)
    source = BlobDemandSource(blobs, BlobDemand(source="blob", path="demand.csv"), pool="web")
    first = source.history(NOW)
    wire.forget()

    assert source.history(NOW).demand.tolist() == first.demand.tolist()
    assert [(status, size) for _, _, status, size in wire.requests] == [(304, 0)]


@pytest.mark.parametrize(
    ("status", "error"), [(403, Forbidden), (401, Forbidden), (404, CloudError), (400, CloudError), (412, CloudError)]
)
def test_a_refusal_of_the_service_is_one_of_our_errors(
    blobs: AzureBlobs, wire: Passed, status: int, error: type[CloudError]
) -> None:
    wire.refusing = status

    with pytest.raises(error, match=r"listing 'config/' in container .* (failed|was refused)"):
        blobs.names("config/")


def test_a_service_that_stays_busy_is_told_as_passing(wire: Passed, container: str) -> None:
    client = ContainerClient.from_connection_string(azurite_connection_string(wire.port), container, retry_total=0)
    wire.refusing = 503

    with pytest.raises(Transient, match="reading 'config/pools.json' .* failed \\(503"):
        AzureBlobs(client).read("config/pools.json")
    with pytest.raises(Transient, match="writing 'a'"):
        AzureBlobs(client).write("a", b"", if_etag=None)
    with pytest.raises(Transient, match="appending to 'a'"):
        AzureBlobs(client).append("a", b"1")


def test_a_service_that_is_not_there_is_told_as_passing(wire: Passed, container: str) -> None:
    nobody_listens = socket.create_server(("127.0.0.1", 0))
    port = nobody_listens.getsockname()[1]
    nobody_listens.close()
    client = ContainerClient.from_connection_string(azurite_connection_string(port), container, retry_total=0)

    with pytest.raises(Transient, match="reading 'a' in container .* failed: ServiceRequestError"):
        AzureBlobs(client).read("a")

    assert wire.requests == []
