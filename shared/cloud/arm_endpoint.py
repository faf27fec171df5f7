"""Where Azure Resource Manager is, and what a token for it is called, in the public and the sovereign clouds."""

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from azure.core import AzureClouds
from azure.mgmt.core.tools import get_arm_endpoints

from shared.settings import Cloud

if TYPE_CHECKING:
    from shared.settings import Settings

CLOUDS = {
    Cloud.PUBLIC: AzureClouds.AZURE_PUBLIC_CLOUD,
    Cloud.USGOV: AzureClouds.AZURE_US_GOVERNMENT,
    Cloud.CHINA: AzureClouds.AZURE_CHINA_CLOUD,
}
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmEndpoint:
    """One Resource Manager: its base address, and the scope of a token for it."""

    url: str
    scope: str

    @property
    def is_loopback(self) -> bool:
        """Whether it is on this machine: only there may a token travel without TLS."""
        return urlsplit(self.url).hostname in LOOPBACK

    def owns(self, url: str) -> bool:
        """Tell whether ``url`` is on this Resource Manager or a regional host of it: a token may be sent there."""
        ours, theirs = urlsplit(self.url), urlsplit(url)
        if theirs.scheme != ours.scheme or ours.hostname is None or theirs.hostname is None:
            return False
        if theirs.netloc == ours.netloc:
            return True
        return theirs.port == ours.port and theirs.hostname.endswith("." + ours.hostname)


def arm_endpoint(settings: "Settings") -> ArmEndpoint:
    """Resource Manager of the cloud that the settings name; ``arm_endpoint`` replaces the address, not the sign-in."""
    known = get_arm_endpoints(CLOUDS[settings.cloud])
    url = settings.arm_endpoint or str(known["resource_manager"])
    return ArmEndpoint(url=url.rstrip("/"), scope=str(known["credential_scopes"][0]))
