"""A process that ticks loads numpy and nothing of what models are trained with: memory and seconds at every start."""

import json
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shared.demand.csv_format import write_demand_csv
from shared.demand.history import History
from shared.demand.workshop_log import SIGNALS
from shared.forecasting.eligibility import training_set_of
from shared.forecasting.store import ModelStore
from shared.local.directory_blobs import DirectoryBlobs
from shared.pools import POOLS_FILE, read_pools
from tests.builders import NOW, pool_json, pools_file, workshop_json
from tests.conftest import ROOT
from tests.demand import HALF_HOUR, daily
from tests.models import DEMAND_FAMILIES, fitted
from training.publish import Candidate, publish

TRAINED_WITH = ("joblib", "scipy", "sklearn", "skops", "threadpoolctl")
TICK = """
import json, os, sys
sys.path.append(os.environ["APP"])
import function_app
from datetime import datetime
from scaler import wiring
from shared.forecasting.model_cache import Slot
from shared.settings import load_settings
from shared.wiring import pools
settings = load_settings()
fan_out, served = wiring.fan_out_of(settings), pools(settings)
records = fan_out.run(served, now_utc=datetime.fromisoformat(os.environ["NOW"]))
cache = fan_out.tick.models.store.cache
models = [(cache.get(Slot.SERVING, pool.name), cache.get(Slot.REFRESHED, pool.name)) for pool in served]
print(json.dumps({
    "reasons": [record.reasons for record in records],
    "is_refreshed": [today.model.fitted.forecaster is not serving.model.fitted.forecaster for serving, today in models],
    "loaded": sorted({name.partition(".")[0] for name in sys.modules} & set(sys.argv[1:])),
}))
"""


def ticked(folder: Path) -> dict[str, list[object]]:
    """Run one whole tick in a process of its own."""
    usual = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "COV_"))}
    local = {"FORESCALE_BACKEND": "local", "FORESCALE_LOCAL_DIR": str(folder), "APP": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-P", "-c", TICK, *TRAINED_WITH],
        env={**usual, **local, "NOW": NOW.isoformat()},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, list[object]] = json.loads(done.stdout.splitlines()[-1])
    return found


def arrange(folder: Path, history: History, family: str, pool: dict[str, Any]) -> None:
    """Store the demand, a pool, and a model of it that was fitted on what was known a day ago."""
    blobs = DirectoryBlobs(folder)
    content = pools_file({**pool, "demand": {"source": "blob", "path": "demand.csv"}})
    blobs.write("demand.csv", write_demand_csv(history).encode(), if_etag=None)
    blobs.write(POOLS_FILE, content, if_etag=None)
    served, past = read_pools(content)[0], history.until(NOW - timedelta(days=1))
    model = fitted(family, training_set_of(served, past))
    store = ModelStore(blobs)
    card = publish(store, served, past, Candidate(model=model), now_utc=past.end_utc)
    store.promote(served.name, card.version, now_utc=past.end_utc, reason="")


@pytest.mark.parametrize("family", DEMAND_FAMILIES)
def test_a_tick_with_a_daily_refresh_needs_numpy_alone(tmp_path: Path, family: str) -> None:
    values = daily(14)[:, np.newaxis]
    history = History(start_utc=NOW - len(values) * HALF_HOUR, step=HALF_HOUR, values=values)
    calendar = {"timezone": "Europe/Madrid", "holidays": "ES"}
    arrange(tmp_path, history, family, pool_json(lead_time_min=60, calendar=calendar))

    found = ticked(tmp_path)

    assert found["reasons"] == [["model", "needs_more", "resize_accepted"]]
    assert found["is_refreshed"] == [family == "forest"]
    assert found["loaded"] == []


def test_a_tick_of_the_workshops_models_needs_numpy_alone(tmp_path: Path) -> None:
    values = np.random.default_rng(1).uniform(10, 60, (140, len(SIGNALS)))
    midnight = NOW.replace(hour=0)
    log = History(start_utc=midnight - timedelta(days=140), step=timedelta(days=1), values=values, signals=SIGNALS)
    arrange(tmp_path, log, "response_time", workshop_json())

    found = ticked(tmp_path)

    assert found["reasons"] == [["model", "response_time_fine"]]
    assert found["loaded"] == []
