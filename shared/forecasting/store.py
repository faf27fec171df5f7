"""Models as blobs: publish, promote, roll back, and load without trusting what is stored.

``models/<pool>/<version>/model.npz`` and ``card.json`` never change once written. ``models/<pool>/latest.json`` names
the version that serves; it is replaced with If-Match, so of two promotions one loses and reads again.
"""

import hashlib
import importlib.metadata
from collections.abc import Sequence
from datetime import datetime

from pydantic import ValidationError

from shared.errors import BlobChanged, BlobNotFound, ModelRefused
from shared.forecasting.card import FORMAT_VERSION, ModelCard, Pointer
from shared.forecasting.file_format import read_model, write_model
from shared.forecasting.forecaster import Parameters
from shared.forecasting.model import PublishedModel, load_model
from shared.forecasting.model_cache import CachedModel, ModelCache, Slot
from shared.json_blob import JsonBlob
from shared.ports import Blobs

MODEL_FILE = "model.npz"


class ModelStore:
    """The models of all pools in one container; what it loaded stays in ``cache``."""

    def __init__(self, blobs: Blobs, cache: ModelCache | None = None) -> None:
        self._blobs = blobs
        self.cache = ModelCache() if cache is None else cache

    def latest(self, pool: str) -> PublishedModel:
        """Return the model that serves; an unchanged pointer costs one conditional read and no download.

        Raises :class:`~shared.errors.BlobNotFound` if none was ever promoted, :class:`~shared.errors.ModelRefused` if
        it cannot be trusted, and :class:`~shared.errors.CloudError`.
        """
        cached = self.cache.get(Slot.SERVING, pool)
        stored = self._pointer(pool).read_if_changed(cached.tag) if cached else self._pointer(pool).read()
        if stored is None and cached is not None:
            return cached.model
        if stored is None:
            msg = f"no model of pool {pool!r} was ever promoted"
            raise BlobNotFound(msg)
        version = stored.value.version
        is_same = cached is not None and cached.model.card.version == version
        model = cached.model if cached is not None and is_same else self.load(pool, version)
        self.cache.put(Slot.SERVING, pool, CachedModel(tag=stored.etag, model=model))
        return model

    def last_good(self, pool: str) -> PublishedModel | None:
        """Return the last model that loaded well in this process, if the cache still has it."""
        cached = self.cache.get(Slot.SERVING, pool)
        return cached.model if cached else None

    def load(self, pool: str, version: str) -> PublishedModel:
        """Load one version; raises :class:`~shared.errors.ModelRefused` and what reading a blob raises."""
        card = self.card(pool, version)
        name = f"{_folder(pool, version)}/{MODEL_FILE}"
        data = self._blobs.read(name).data
        digest = hashlib.sha256(data).hexdigest()
        if digest != card.sha256:
            msg = f"{name} has SHA-256 {digest}, its card says {card.sha256}: publish the model again"
            raise ModelRefused(msg)
        return load_model(card, read_model(data, name=name), name=name)

    def card(self, pool: str, version: str) -> ModelCard:
        """Return the card of one version, refusing one of another format."""
        name = f"{_folder(pool, version)}/card.json"
        data = self._blobs.read(name).data
        try:
            card = ModelCard.model_validate_json(data)
        except ValidationError as exc:
            fault = exc.errors()[0]
            where = ".".join(str(step) for step in fault["loc"])
            msg = f"{name} is not a card of format {FORMAT_VERSION} ({where}: {fault['msg']}): train and publish again"
            raise ModelRefused(msg) from exc
        if card.format_version != FORMAT_VERSION:
            msg = f"{name} has format version {card.format_version}, this app reads {FORMAT_VERSION}: train again"
            raise ModelRefused(msg)
        if (card.pool, card.version) != (pool, version):
            msg = f"{name} says it is of pool {card.pool!r}, version {card.version!r}: publish the model again"
            raise ModelRefused(msg)
        return card

    def publish(self, draft: ModelCard, parameters: Parameters) -> ModelCard:
        """Store a model under its draft card's pool and version, and return the card with hash and size.

        It serves only once it is promoted. Raises :class:`~shared.errors.BlobChanged` if the version exists, and
        :class:`~shared.errors.TrainingRefused` for a model too large to be loaded again.
        """
        data = write_model(parameters)
        card = draft.model_copy(update={"sha256": hashlib.sha256(data).hexdigest(), "size_bytes": len(data)})
        folder = _folder(card.pool, card.version)
        self._blobs.write(f"{folder}/{MODEL_FILE}", data, if_etag=None)
        self._blobs.write(f"{folder}/card.json", card.model_dump_json(indent=2).encode(), if_etag=None)
        return card

    def pointer(self, pool: str) -> tuple[Pointer, str] | None:
        """Return the pointer and its etag, or None if no model was ever promoted."""
        stored = self._pointer(pool).read()
        return (stored.value, stored.etag) if stored else None

    def promote(
        self, pool: str, version: str, *, now_utc: datetime, reason: str, instead_of: str | None = None
    ) -> Pointer:
        """Let ``version`` serve (an older one: that is the rollback), if it loads and nobody else moved the pointer.

        With ``instead_of`` only if that version serves. The version that serves already stays as it is.
        Raises :class:`~shared.errors.ModelRefused`, :class:`~shared.errors.BlobNotFound`,
        :class:`~shared.errors.BlobChanged`.
        """
        serving, etag = self._pointer_to_replace(pool)
        previous = serving.version if serving else None
        if instead_of not in {None, previous}:
            msg = f"version {instead_of!r} of pool {pool!r} does not serve, {previous!r} does"
            raise BlobChanged(msg)
        self.load(pool, version)
        if serving is not None and previous == version:
            return serving
        pointer = Pointer(version=version, previous=previous, since=now_utc, reason=reason)
        self._pointer(pool).write(pointer, if_etag=etag)
        return pointer

    def _pointer_to_replace(self, pool: str) -> tuple[Pointer | None, str | None]:
        """Return the pointer and its etag; a damaged one counts as none, and may be replaced."""
        stored = self._pointer(pool).read_or(lambda _: None)
        return (stored.value, stored.etag) if stored else (None, None)

    def _pointer(self, pool: str) -> JsonBlob[Pointer]:
        name, remedy = f"models/{pool}/latest.json", "promote a version again"
        return JsonBlob(blobs=self._blobs, name=name, kind=Pointer, remedy=remedy, error=ModelRefused)

    def versions(self, pool: str) -> Sequence[str]:
        """Return the complete versions of a pool, oldest first."""
        prefix = f"models/{pool}/"
        names = (name.removeprefix(prefix) for name in self._blobs.names(prefix))
        return sorted(name.removesuffix("/card.json") for name in names if name.endswith("/card.json"))


def library_versions() -> dict[str, str]:
    """Return the versions of the libraries that a model is made with."""
    return {name: importlib.metadata.version(name) for name in ("numpy", "scikit-learn")}


def _folder(pool: str, version: str) -> str:
    return f"models/{pool}/{version}"
