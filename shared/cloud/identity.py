"""The app's identity: its managed identity in Azure, the developer's own login elsewhere."""

from typing import TYPE_CHECKING

from azure.identity import DefaultAzureCredential

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential


def app_credential(identity_client_id: str | None, *, authority: str | None = None) -> "TokenCredential":
    """Credential for every Azure call; ``identity_client_id`` names a user-assigned managed identity.

    ``authority`` is the sign-in host of a sovereign cloud. Asks for no token until one is needed.
    """
    chosen = {} if authority is None else {"authority": authority}
    return DefaultAzureCredential(managed_identity_client_id=identity_client_id, **chosen)
