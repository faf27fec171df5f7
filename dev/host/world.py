"""Makes a world to scale in, once: demand, a pools file, a trained model, and a clock that replays the demand."""

import hashlib
import json
import math
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from dev.host.synthetic import synthetic_demand
from scaler.stores import MemoryStore
from shared.clock import system_clock
from shared.demand.csv_format import read_demand_csv, write_demand_csv
from shared.demand.history import History
from shared.demand.workshop_log import read_workshop_log
from shared.errors import ConfigurationError
from shared.forecasting.store import ModelStore
from shared.local.directory_blobs import DirectoryBlobs
from shared.local.fast_clock import CLOCK_FILE, FastClock
from shared.pools import POOLS_FILE, Pool, read_pools
from shared.ports import Blobs
from shared.settings import Backend, Settings
from shared.wiring import pools
from training.publish import fit_candidate, publish

Say = Callable[[str], None]

MIDNIGHT = datetime(2026, 9, 7, tzinfo=UTC)
SYNTHETIC_DAYS = 35
SYNTHETIC_TRAINING_DAYS = 21.25
"""The replay starts on a Monday at 6: the morning's rise is what a newcomer sees first."""
TRAINING_SHARE = 0.5
NODES_ON_AVERAGE = 10
LEAD_TIME_MIN = 10
NEVER = 10**9
"""Ticks left where the demand does not advance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """A directory for the local backend, ready to serve from; ``ticks_left`` until the demand file ends."""

    directory: Path
    settings: Settings
    ticks_left: int
    story: str


def open_world(root: Path, data: Path | None, *, say: Say) -> World:
    """Return the world for a demand file (or the synthetic demand), making below ``root`` what is not there yet.

    Raises :class:`ConfigurationError` or :class:`shared.errors.DemandError` for a file that cannot be used.
    """
    content = _read(data) if data else b""
    name = "synthetic" if data is None else f"{_slug(data.stem)}-{hashlib.sha256(content).hexdigest()[:8]}"
    directory = root / name
    settings = Settings(backend=Backend.LOCAL, local_dir=directory)
    if data is not None and data.suffix == ".pkl":
        return _workshop(settings, data, content, say=say)
    history = _history(data, content)
    if not (directory / POOLS_FILE).exists():
        _make(settings, history, pool=name if data else "web", say=say)
    else:
        say(f"Found {directory} from an earlier run: reusing its demand, pools file and model.")
    ticks_left = _wind_clock(settings, history)
    return World(
        directory=directory,
        settings=settings,
        ticks_left=ticks_left,
        story=f"One interval of {history.step} a second; {ticks_left} intervals of demand are left to replay.",
    )


def _workshop(settings: Settings, data: Path, content: bytes, *, say: Say) -> World:
    """The workshop's job: a log of days without dates, whose last day counts as yesterday."""
    directory = settings.local_dir
    today = system_clock().replace(hour=0, minute=0, second=0, microsecond=0)
    history = read_workshop_log(content, end_utc=today, name=str(data))
    blobs = DirectoryBlobs(directory)
    if not (directory / POOLS_FILE).exists():
        say(f"Writing {directory}: the log, and a pools file with the workshop's policy (SLA 50 s ± 20 s, step 1).")
        _put(blobs, "log_data.pkl", content)
        pool: dict[str, Any] = {
            "name": "workshop",
            "mode": "act",
            "min_nodes": 1,
            "max_nodes": 2,
            "demand": {"source": "blob", "path": "log_data.pkl"},
            "sizing": {"kind": "response_time", "sla_s": 50, "threshold_s": 20, "step_nodes": 1},
        }
        _train(settings, _put_pools(blobs, pool), history, now_utc=system_clock(), say=say)
    (directory / "log_data.pkl").touch()
    return World(
        directory=directory,
        settings=settings,
        ticks_left=NEVER,
        story=f"The log has {len(history)} days and no dates; its last day counts as yesterday.",
    )


def _make(settings: Settings, history: History, *, pool: str, say: Say) -> None:
    """Write demand and pools file, and train on the part of the demand that lies before the replay."""
    blobs = DirectoryBlobs(settings.local_dir)
    mean = float(np.nanmean(history.demand))
    if not mean > 0:
        msg = "the demand is nowhere above zero: there is nothing to scale"
        raise ConfigurationError(msg)
    start = _replay_start(history)
    say(f"Writing {settings.local_dir}: {len(history)} intervals of demand, and a pools file.")
    _put(blobs, "demand.csv", write_demand_csv(history).encode())
    units_per_node = float(f"{mean / NODES_ON_AVERAGE:.3g}")
    written = _put_pools(
        blobs,
        {
            "name": pool[:40].strip("-"),
            "mode": "act",
            "min_nodes": 1,
            "max_nodes": min(1000, max(2, math.ceil(2 * float(np.nanmax(history.demand)) / units_per_node))),
            "lead_time_min": LEAD_TIME_MIN,
            "demand": {"source": "blob", "path": "demand.csv", "unit": history.unit},
            "sizing": {"kind": "capacity", "units_per_node": units_per_node, "slo": 0.99},
        },
    )
    _train(settings, written, history.first(start), now_utc=history.instant(start), say=say)


def _train(settings: Settings, pool: Pool, history: History, *, now_utc: datetime, say: Say) -> None:
    say(f"Training on {len(history)} intervals, {history.start_utc:%Y-%m-%d} to {history.end_utc:%Y-%m-%d} …")
    began = system_clock()
    store = ModelStore(DirectoryBlobs(settings.local_dir))
    card = publish(store, pool, history, fit_candidate(pool, history), now_utc=now_utc)
    store.promote(pool.name, card.version, now_utc=now_utc, reason="the first model")
    took_s = (system_clock() - began).total_seconds()
    scores = ", ".join(f"{name} {score:.4f}" for name, score in card.scores.items())
    say(f"Published {card.family} model {card.version} ({card.size_bytes:,} bytes) in {took_s:.1f} s. {scores}")


def _wind_clock(settings: Settings, history: History) -> int:
    """Set the clock to where the last run stopped, or to the start of the replay; return the intervals left.

    A replay that had reached the end of the demand begins again, with pools and memory as at first.
    """
    pool = pools(settings)[0]
    orders = MemoryStore(DirectoryBlobs(settings.local_dir)).load(pool.name)[0].orders
    begun = math.ceil((orders[-1].at - history.start_utc) / history.step) if orders else _replay_start(history)
    if begun >= len(history):
        for folder in ("state", "simulated"):
            shutil.rmtree(settings.local_dir / folder, ignore_errors=True)
        begun = _replay_start(history)
    next_second = system_clock().replace(microsecond=0) + timedelta(seconds=1)
    clock = FastClock(real_utc=next_second, shown_utc=history.instant(begun), speed=history.step / timedelta(seconds=1))
    (settings.local_dir / CLOCK_FILE).write_text(clock.model_dump_json(indent=2))
    return len(history) - begun


def _replay_start(history: History) -> int:
    """Return the first interval of the replay: what lies before it is for training."""
    if history.start_utc == MIDNIGHT:
        return round(SYNTHETIC_TRAINING_DAYS * (timedelta(days=1) / history.step))
    return max(1, int(len(history) * TRAINING_SHARE))


def _history(data: Path | None, content: bytes) -> History:
    if data is None:
        return synthetic_demand(MIDNIGHT, days=SYNTHETIC_DAYS)
    try:
        return read_demand_csv(content.decode(), name=str(data))
    except UnicodeDecodeError as exc:
        msg = (
            f"{data} is not text: DATA= takes a CSV file with 'timestamp,demand' lines, or the workshop's log_data.pkl"
        )
        raise ConfigurationError(msg) from exc


def _read(data: Path) -> bytes:
    try:
        return data.read_bytes()
    except OSError as exc:
        msg = f"{data} cannot be read ({exc.strerror}): DATA= takes a CSV file or the workshop's log_data.pkl"
        raise ConfigurationError(msg) from exc


def _put(blobs: Blobs, name: str, data: bytes) -> None:
    blobs.write(name, data, if_etag=None)


def _put_pools(blobs: Blobs, pool: dict[str, Any]) -> Pool:
    data = json.dumps({"pools": [pool]}, indent=2).encode()
    _put(blobs, POOLS_FILE, data)
    return read_pools(data)[0]


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:30].strip("-") or "demand"
