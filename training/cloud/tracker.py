"""The run of this very job in Azure ML, through azureml-core: metrics, model files, registered models."""

import contextlib
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from shared.errors import CloudError

FLUSH_TIMEOUT_S = 60


class SdkTracker:
    """``training.ports.Tracker`` inside a job that azureml-core started; the SDK is imported when it is first used."""

    def __init__(self) -> None:
        self._run: Any = None

    def log(self, name: str, value: float) -> None:
        """See :meth:`training.ports.Tracker.log`."""
        with _translated(f"logging {name}"):
            self._here().log(name, value)

    def register(self, name: str, data: bytes, tags: Mapping[str, str]) -> None:
        """See :meth:`training.ports.Tracker.register`.

        The numbers logged before are sent first: the SDK queues them, and does not wait for its queue when a job ends.
        """
        stored = f"outputs/{name}.npz"
        with _translated(f"registering model {name!r}"), tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.npz"
            path.write_bytes(data)
            self._here().flush(timeout_seconds=FLUSH_TIMEOUT_S)
            self._here().upload_file(stored, str(path))
            self._here().register_model(name, model_path=stored, tags=dict(tags))

    def _here(self) -> Any:  # noqa: ANN401 - the SDK has no type stubs
        if self._run is None:
            from azureml.core import Run  # noqa: PLC0415 - only inside a job

            self._run = Run.get_context(allow_offline=False)
        return self._run


@contextlib.contextmanager
def _translated(doing: str) -> Iterator[None]:
    try:
        yield
    except Exception as exc:
        msg = f"{doing} in Azure ML failed: {type(exc).__name__}"
        raise CloudError(msg) from exc
