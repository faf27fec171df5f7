"""Where Azure Resource Manager is, in the public and the sovereign clouds, and how requests to it are signed."""

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from azure.core import AzureClouds
from azure.mgmt.core.policies import ARMChallengeAuthenticationPolicy
from azure.mgmt.core.tools import get_arm_endpoints

from shared.errors import ConfigurationError
from shared.settings import Cloud

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential
    from azure.core.pipeline import PipelineRequest, PipelineResponse
    from azure.core.rest import HttpRequest, HttpResponse

    from shared.settings import Settings

    Request = PipelineRequest[HttpRequest]
    Response = PipelineResponse[HttpRequest, HttpResponse]

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


class ArmAuthentication(ARMChallengeAuthenticationPolicy):
    """Signs requests in; a token that Azure no longer takes is replaced once, then the 401 stands."""

    def __init__(self, credential: "TokenCredential", endpoint: ArmEndpoint) -> None:
        super().__init__(credential, endpoint.scope, enable_cae=True)
        self._is_loopback = endpoint.is_loopback

    def on_request(self, request: "Request") -> None:
        """Sign the request; without TLS only to this machine, where a test's server listens."""
        if self._is_loopback:
            request.context.options["enforce_https"] = False
        super().on_request(request)

    def on_challenge(self, request: "Request", response: "Response") -> bool:
        """Answer a 401: with the claims it asks for, or else with one new token."""
        if not super().on_challenge(request, response):
            self.authorize_request(request, *self._scopes)
        return True


def arm_endpoint(settings: "Settings") -> ArmEndpoint:
    """Resource Manager of the cloud that the settings name; ``arm_endpoint`` replaces the address, not the sign-in.

    Raises :class:`~shared.errors.ConfigurationError` for an address without TLS that is not on this machine.
    """
    known = get_arm_endpoints(CLOUDS[settings.cloud])
    url = settings.arm_endpoint or str(known["resource_manager"])
    endpoint = ArmEndpoint(url=url.rstrip("/"), scope=str(known["credential_scopes"][0]))
    if urlsplit(url).scheme != "https" and not endpoint.is_loopback:
        msg = f"FORESCALE_ARM_ENDPOINT is {url!r}: a token would travel in the clear; use https"
        raise ConfigurationError(msg)
    return endpoint
