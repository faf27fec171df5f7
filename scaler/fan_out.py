"""One tick of all pools, side by side: one pool's failure stops no other."""

import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from uuid import uuid4

from scaler.record import Record
from scaler.resizing import reason_of
from scaler.tick import Tick
from shared.errors import BlobChanged, CloudError, ForescaleError, TickFailed, Transient
from shared.pools import Pool
from shared.telemetry import Event, emit

logger = logging.getLogger(__name__)

SIDE_BY_SIDE = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class FanOut:
    """Serves every pool with one and the same tick."""

    tick: Tick

    def run(self, pools: Sequence[Pool], *, now_utc: datetime) -> list[Record]:
        """Serve every pool and return the records of those that could be served, in the order of ``pools``.

        Raises :class:`TickFailed` at the end, naming the pools, if a person must look at something.
        """
        run_id = uuid4().hex
        with ThreadPoolExecutor(max_workers=min(SIDE_BY_SIDE, len(pools))) as side_by_side:
            served = list(side_by_side.map(lambda pool: self._serve(pool, now_utc=now_utc, run_id=run_id), pools))
        failed = [f"{pool.name}: {error}" for pool, (_, error) in zip(pools, served, strict=True) if error]
        if failed:
            raise TickFailed("; ".join(failed))
        return [record for record, _ in served if record is not None]

    def _serve(self, pool: Pool, *, now_utc: datetime, run_id: str) -> tuple[Record | None, str]:
        """Serve one pool, whatever happens; the error is empty if nobody needs to act."""
        try:
            record = self.tick.run(pool, now_utc=now_utc, run_id=run_id)
        except Exception as exc:  # the one broad catch: a pool must not stop the rest (S19)
            mended_by_next_tick = isinstance(exc, Transient | BlobChanged)
            error = str(exc) if isinstance(exc, ForescaleError) else f"{type(exc).__name__}: {exc}"
            fields = {
                "run_id": run_id,
                "pool": pool.name,
                "at": now_utc,
                "kind": type(exc).__name__,
                "reason": reason_of(type(exc)) if isinstance(exc, CloudError) else None,
                "error": error,
            }
            emit(Event.POOL_FAILED, fields, level=logging.WARNING if mended_by_next_tick else logging.ERROR)
            if not isinstance(exc, ForescaleError):
                logger.exception("pool %r failed", pool.name)
            return None, "" if mended_by_next_tick else error
        return record, record.error
