"""The app's identity: its managed identity in Azure, the developer's own login elsewhere."""

from functools import lru_cache
from typing import TYPE_CHECKING

from azure.identity import AzureAuthorityHosts, DefaultAzureCredential

from shared.cloud.http_client import DEFAULT_LIMITS, HttpLimits, timeouts_of
from shared.settings import Cloud, Settings

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential

AUTHORITIES = {
    Cloud.PUBLIC: AzureAuthorityHosts.AZURE_PUBLIC_CLOUD,
    Cloud.USGOV: AzureAuthorityHosts.AZURE_GOVERNMENT,
    Cloud.CHINA: AzureAuthorityHosts.AZURE_CHINA,
}


@lru_cache(maxsize=4)
def app_credential(settings: Settings, limits: HttpLimits = DEFAULT_LIMITS) -> "TokenCredential":
    """Return the credential for every Azure call, and always the same one, so that tokens are shared.

    Asks for no token until one is needed. A sign-in service that hangs is asked twice: the SDK by itself would wait
    for four times five minutes.
    """
    return DefaultAzureCredential(
        authority=AUTHORITIES[settings.cloud],
        managed_identity_client_id=settings.identity_client_id,
        retry_connect=1,
        retry_read=1,
        **timeouts_of(limits),
    )
