"""What one tick costs: CPU time of a local tick with a warm model, import of the app, prediction, size of the model."""

import json
import logging
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from dev.host.world import World, open_world
from scaler.wiring import fan_out_of, now, tick_of
from shared.forecasting.store import ModelStore
from shared.local.directory_blobs import DirectoryBlobs
from shared.wiring import pools

ROOT = Path(__file__).resolve().parents[2]
WARM_TICKS = 3
TICKS = 30
PREDICTIONS = 50
IMPORTS = 7
COLD_STARTS = 3
TICK_BAR_MS = 50.0
IMPORT_BAR_S = 0.5
PREDICTION_BAR_MS = 10.0
MODEL_BAR_BYTES = 2_000_000
MEMORY_BAR_MB = 110.0

COLD_TICK = """
import importlib, json, sys, time
from pathlib import Path
import function_app
from scaler import wiring
from shared.settings import Backend, Settings
from shared.wiring import pools
for adapter in ("scaler.cloud.aks", "scaler.cloud.prometheus", "shared.cloud.azure_blobs", "shared.cloud.identity"):
    importlib.import_module(adapter)
settings = Settings(backend=Backend.LOCAL, local_dir=Path(sys.argv[1]))
began = time.perf_counter()
wiring.fan_out_of(settings).run(pools(settings), now_utc=wiring.now(settings))
took_s = time.perf_counter() - began
status = Path("/proc/self/status").read_text()
print(json.dumps({"took_s": took_s, "peak_mb": int(status.split("VmHWM:")[1].split()[0]) / 1024}))
"""
"""One tick in a fresh process with what the Azure backend loads: its time, and the peak of its memory (Linux)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TickCost:
    """Medians; CPU times are of the whole process, all threads."""

    tick_cpu_ms: float
    tick_wall_ms: float
    predict_cpu_ms: float
    model_bytes: int
    model_family: str
    import_app_s: float
    import_azure_functions_s: float
    cold_tick_s: float
    peak_memory_mb: float

    @property
    def import_ratio(self) -> float:
        """How many times as long as ``import azure.functions`` alone."""
        return self.import_app_s / self.import_azure_functions_s


def measured() -> TickCost:
    """Measure in a world made for it: 35 days of synthetic 5-minute demand, a model trained on the first 21."""
    with tempfile.TemporaryDirectory() as directory:
        world = open_world(Path(directory), None, say=lambda _: None)
        fan_out = fan_out_of(world.settings)
        served = pools(world.settings)

        def one_tick() -> None:
            fan_out.run(served, now_utc=now(world.settings))

        tick_wall_ms, tick_cpu_ms = _medians_ms(one_tick, warm=WARM_TICKS, times=TICKS)
        predict_cpu_ms, model_bytes, family = _prediction(world)
        cold_tick_s, peak_memory_mb = _cold_tick(world)
    return TickCost(
        tick_cpu_ms=tick_cpu_ms,
        tick_wall_ms=tick_wall_ms,
        predict_cpu_ms=predict_cpu_ms,
        model_bytes=model_bytes,
        model_family=family,
        import_app_s=_import_s("function_app"),
        import_azure_functions_s=_import_s("azure.functions"),
        cold_tick_s=cold_tick_s,
        peak_memory_mb=peak_memory_mb,
    )


def _prediction(world: World) -> tuple[float, int, str]:
    """Return the CPU milliseconds of one forecast, and the size and family of its model."""
    pool = pools(world.settings)[0]
    model = ModelStore(DirectoryBlobs(world.directory)).latest(pool.name)
    now_utc = now(world.settings)
    history = tick_of(world.settings).demand(pool).history(now_utc)
    _, cpu_ms = _medians_ms(lambda: model.forecast(history, now_utc=now_utc), warm=WARM_TICKS, times=PREDICTIONS)
    return cpu_ms, model.card.size_bytes, model.card.family


def _medians_ms(act: Callable[[], object], *, warm: int, times: int) -> tuple[float, float]:
    """Return the median wall and CPU milliseconds of an action once it is warm."""
    walls, cpus = [], []
    for _ in range(warm):
        act()
    for _ in range(times):
        wall, cpu = time.perf_counter(), time.process_time()
        act()
        walls.append(1000 * (time.perf_counter() - wall))
        cpus.append(1000 * (time.process_time() - cpu))
    return statistics.median(walls), statistics.median(cpus)


def _cold_tick(world: World) -> tuple[float, float]:
    """Return the median seconds of the first tick of a process, and its median peak of memory in megabytes."""
    found = [json.loads(_run(COLD_TICK, str(world.directory))) for _ in range(COLD_STARTS)]
    return statistics.median(one["took_s"] for one in found), statistics.median(one["peak_mb"] for one in found)


def _import_s(module: str) -> float:
    """Return the median seconds of an import in a fresh interpreter, compiled files in place."""
    code = f"import time; began = time.perf_counter(); import {module}; print(time.perf_counter() - began)"
    return statistics.median([float(_run(code)) for _ in range(IMPORTS + 1)][1:])


def _run(code: str, *arguments: str) -> str:
    """Run code in a fresh interpreter and return what it prints."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment, cwd=ROOT)  # noqa: S603 - our own command
    return done.stdout


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    cost = measured()
    print(json.dumps({**asdict(cost), "import_ratio": cost.import_ratio}, indent=2))
