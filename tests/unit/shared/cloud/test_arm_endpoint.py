import pytest

from scaler.cloud.aks import aks_node_pools
from shared.cloud.arm_endpoint import ArmEndpoint, arm_endpoint
from shared.errors import ConfigurationError
from shared.settings import Settings, load_settings

STORAGE = {"FORESCALE_STORAGE_ACCOUNT_URL": "https://unused.test"}


def endpoint(**named: str) -> ArmEndpoint:
    return arm_endpoint(load_settings(STORAGE | {f"FORESCALE_{name.upper()}": value for name, value in named.items()}))


@pytest.mark.parametrize(
    ("cloud", "url", "scope"),
    [
        ("public", "https://management.azure.com", "https://management.azure.com/.default"),
        ("usgov", "https://management.usgovcloudapi.net", "https://management.core.usgovcloudapi.net/.default"),
        ("china", "https://management.chinacloudapi.cn", "https://management.chinacloudapi.cn/.default"),
    ],
)
def test_each_cloud_has_its_own_resource_manager_and_scope(cloud: str, url: str, scope: str) -> None:
    assert endpoint(cloud=cloud) == ArmEndpoint(url=url, scope=scope)


def test_an_endpoint_by_setting_replaces_the_address_and_keeps_the_clouds_sign_in() -> None:
    found = endpoint(cloud="china", arm_endpoint="https://arm.internal.test/")

    assert found == ArmEndpoint(url="https://arm.internal.test", scope="https://management.chinacloudapi.cn/.default")


def test_an_address_without_tls_is_a_mistake_in_the_settings() -> None:
    with pytest.raises(ConfigurationError, match=r"FORESCALE_ARM_ENDPOINT is 'http://arm\.internal\.test'"):
        endpoint(arm_endpoint="http://arm.internal.test")


@pytest.mark.parametrize(
    ("url", "owned"),
    [
        ("https://management.azure.com/subscriptions/s/operations/1?t=2", True),
        ("https://westeurope.management.azure.com/subscriptions/s/operations/1", True),
        ("http://management.azure.com/subscriptions/s/operations/1", False),
        ("https://management.azure.com:8443/subscriptions/s/operations/1", False),
        ("https://evilmanagement.azure.com/x", False),
        ("https://management.azure.com.evil.test/x", False),
        ("https://management.azure.com@evil.test/x", False),
        ("untracked", False),
        ("", False),
    ],
)
def test_a_token_is_sent_to_resource_manager_and_its_regions_only(url: str, *, owned: bool) -> None:
    assert endpoint().owns(url) is owned


@pytest.mark.parametrize(
    ("url", "loopback"),
    [
        ("http://127.0.0.1:8080", True),
        ("http://localhost", True),
        ("http://[::1]:80", True),
        ("http://arm.internal.test", False),
        ("http://127.0.0.1.evil.test", False),
    ],
)
def test_a_token_travels_without_tls_on_this_machine_only(url: str, *, loopback: bool) -> None:
    assert ArmEndpoint(url=url, scope="s").is_loopback is loopback


def test_building_the_pools_asks_nobody_for_anything() -> None:
    aks_node_pools(Settings(storage_account_url="https://unused.test")).close()
