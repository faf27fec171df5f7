"""What ticks remember, kept as ``state/<pool>.json`` and safe against two ticks at once."""

from pydantic import TypeAdapter, ValidationError

from scaler.core.memory import Memory
from shared.errors import BlobNotFound, ConfigurationError
from shared.ports import Blobs, read_whole

_ADAPTER = TypeAdapter(Memory)


class Memories:
    """The memory of every pool; a save is conditional on what was loaded, so of two ticks one loses."""

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs

    def load(self, pool: str) -> tuple[Memory, str | None]:
        """Return the memory and its etag; a pool without one starts empty.

        Raises :class:`ConfigurationError` if what is stored cannot be read: it is left as it is.
        """
        try:
            blob = read_whole(self._blobs, _name(pool))
        except BlobNotFound:
            return Memory(), None
        try:
            return _ADAPTER.validate_json(blob.data), blob.etag
        except ValidationError as exc:
            fault = exc.errors()[0]
            msg = f"{_name(pool)} cannot be read ({fault['loc']}: {fault['msg']}): move it away to start the pool anew"
            raise ConfigurationError(msg) from exc

    def save(self, pool: str, memory: Memory, etag: str | None) -> str:
        """Replace the memory and return its new etag; raises :class:`shared.errors.BlobChanged` if it was changed."""
        return self._blobs.write(_name(pool), _ADAPTER.dump_json(memory), if_etag=etag)


def _name(pool: str) -> str:
    return f"state/{pool}.json"
