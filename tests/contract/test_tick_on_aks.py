"""What a tick makes of each thing that AKS may answer: one behaviour and one Reason for each, over real HTTP."""

import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scaler.core.memory import Memory
from scaler.core.pool import Provisioning
from scaler.core.reasons import Reason
from scaler.fallback import Models
from scaler.fan_out import FanOut
from scaler.stores import DecisionLog, MemoryStore
from scaler.tick import Tick
from shared.demand.history import History
from shared.errors import TickFailed
from shared.forecasting.store import ModelStore
from shared.local.directory_blobs import DirectoryBlobs
from shared.pools import Mode, Pool
from tests.fakes.arm_answers import Answer
from tests.fakes.arm_cluster import FakePool, autoscaled
from tests.fakes.arm_faults import Fault
from tests.fakes.arm_harness import AksOnFake, aks_on_fake, pool_named

KNOWN_BEFORE = timedelta(days=3)
STEP = timedelta(minutes=5)


@dataclass(slots=True)
class FlatDemand:
    """The same demand for ever: ``units`` may be changed between ticks."""

    aks: AksOnFake
    units: float

    def history(self, now_utc: datetime) -> History:
        return History(
            start_utc=now_utc - KNOWN_BEFORE, step=STEP, values=np.full((int(KNOWN_BEFORE / STEP), 1), self.units)
        )


@dataclass(slots=True)
class Ticking:
    """A tick on one pool of the fake."""

    aks: AksOnFake
    fan_out: FanOut
    demand: FlatDemand
    pool: Pool
    found: FakePool

    def run(self, *, after_min: float = 0) -> list[Reason]:
        """Let time pass, run a tick and return the reasons of its decision."""
        self.aks.clock.advance(minutes=after_min)
        self.aks.arm.cluster()
        with suppress(TickFailed):
            self.fan_out.run([self.pool], now_utc=self.aks.clock())
        logged = self.fan_out.tick.log.of_day(self.pool.name, self.aks.clock().date().isoformat())[-1]
        return [Reason(reason) for reason in logged["reasons"]]

    @property
    def memory(self) -> Memory:
        return self.fan_out.tick.memories.load(self.pool.name)[0]


@contextmanager
def _ticking(folder: Path, **described: Any) -> Iterator[Ticking]:
    with aks_on_fake() as aks:
        blobs = DirectoryBlobs(folder)
        demand = FlatDemand(aks, 70)
        memories, log = MemoryStore(blobs), DecisionLog(blobs)
        fan_out = FanOut(
            tick=Tick(
                demand=lambda _: demand,
                node_pools=aks.pools,
                models=Models(store=ModelStore(blobs)),
                memories=memories,
                log=log,
            )
        )
        found = aks.arm.cluster().add("web", **described)
        yield Ticking(aks, fan_out, demand, pool_named("web", mode=Mode.ACT), found)


@pytest.fixture
def ticking(tmp_path: Path) -> Iterator[Ticking]:
    with _ticking(tmp_path) as running:
        yield running


def bare(status: int, code: str) -> Answer:
    return Answer(status, {"code": code, "message": "words of no meaning", "subcode": ""})


@pytest.mark.parametrize(
    ("answer", "reason", "wait_min"),
    [
        (bare(409, "AKSOperationPreempted"), Reason.POOL_BUSY, 1),
        (bare(412, "EtagMismatch"), Reason.POOL_CHANGED, 0),
        (Answer(429, {"code": "Throttled"}, {"Retry-After": "420"}), Reason.THROTTLED, 7),
        (bare(400, "QuotaExceeded"), Reason.QUOTA_EXCEEDED, 10),
        (bare(409, "AllocationFailed"), Reason.NO_CAPACITY, 5),
        (bare(400, "SubnetIsFull"), Reason.SUBNET_FULL, 10),
        (bare(403, "AuthorizationFailed"), Reason.FORBIDDEN, 5),
        (bare(404, "NotFound"), Reason.POOL_NOT_FOUND, 5),
        (bare(503, "ServerTimeout"), Reason.CLOUD_UNREACHABLE, 1),
        (bare(400, "InvalidParameter"), Reason.CLOUD_ERROR, 5),
    ],
)
def test_each_refusal_has_one_reason_and_one_wait(
    ticking: Ticking, answer: Answer, reason: Reason, wait_min: float
) -> None:
    ticking.aks.arm.answer_next("PUT", answer)

    reasons = ticking.run()
    backoff = ticking.memory.backoff

    assert reasons[-1] is reason
    assert backoff is not None
    assert (backoff.until - ticking.aks.clock()).total_seconds() == wait_min * 60


def test_a_refused_resize_is_tried_again_once_its_wait_is_over(ticking: Ticking) -> None:
    ticking.aks.arm.answer_next("PUT", bare(400, "QuotaExceeded"))

    reasons = [ticking.run()[-1], ticking.run(after_min=5)[-1], ticking.run(after_min=5)[-1]]

    assert reasons == [Reason.QUOTA_EXCEEDED, Reason.BACKING_OFF, Reason.RESIZE_ACCEPTED]


def test_a_shortage_does_not_keep_nodes_from_being_given_back(ticking: Ticking) -> None:
    ticking.aks.arm.answer_next("PUT", bare(400, "QuotaExceeded"))
    ticking.run()
    ticking.demand.units = 5

    reasons = [ticking.run(after_min=5)[-1] for _ in range(3)]

    assert reasons == [Reason.IN_DOUBT, Reason.IN_DOUBT, Reason.RESIZE_ACCEPTED]
    assert ticking.aks.sent()["count"] < 3


def test_while_an_operation_is_in_flight_nothing_is_written(ticking: Ticking) -> None:
    first = ticking.run()
    ticking.demand.units = 120
    second = ticking.run(after_min=2)
    third = ticking.run(after_min=3)

    assert [reasons[-1] for reasons in (first, second, third)] == [
        Reason.RESIZE_ACCEPTED,
        Reason.POOL_BUSY,
        Reason.RESIZE_ACCEPTED,
    ]


def test_an_operation_whose_status_cannot_be_read_counts_as_running(ticking: Ticking) -> None:
    ticking.run()
    ticking.demand.units = 120
    ticking.aks.clock.advance(minutes=5)
    ticking.aks.arm.cluster()
    list_answer = Answer(200, {"value": [ticking.found.body()]})
    ticking.aks.arm.answer_next("GET", list_answer, *[bare(503, "ServerTimeout")] * 3)

    assert ticking.run()[-1] is Reason.POOL_BUSY
    assert ticking.run(after_min=5)[-1] is Reason.RESIZE_ACCEPTED


def test_what_a_failed_operation_left_is_repaired_and_the_wait_grows(ticking: Ticking) -> None:
    ticking.aks.arm.faults.script("PUT", Fault.OPERATION_FAILS, Fault.OPERATION_FAILS)

    ticking.run()
    failed = ticking.run(after_min=5)
    again = ticking.run(after_min=5)
    failed_again = ticking.run(after_min=5)
    repaired = ticking.run(after_min=10)
    ticking.run(after_min=5)

    assert failed[-2:] == [Reason.REPAIRING, Reason.BACKING_OFF]
    assert again[-2:] == [Reason.REPAIRING, Reason.RESIZE_ACCEPTED]
    assert failed_again[-1] is Reason.BACKING_OFF
    assert repaired[-1] is Reason.RESIZE_ACCEPTED
    assert ticking.found.real_nodes == ticking.found.properties["count"] == 7
    assert ticking.memory.backoff is None


def test_a_pool_that_failed_by_somebody_elses_hand_is_left_to_them(ticking: Ticking) -> None:
    ticking.found.properties["count"], ticking.found.state = 7, "Failed"

    assert Reason.REPAIRING not in ticking.run()
    assert ticking.aks.arm.asked("PUT") == 0


def test_a_floor_that_is_there_already_is_not_written_again(tmp_path: Path) -> None:
    with _ticking(tmp_path, **autoscaled(1, 20)) as ticking:
        ticking.run()
        ticking.run(after_min=5)
        ticking.run(after_min=5)

        assert ticking.aks.arm.asked("PUT") == 1
        assert ticking.found.properties["minCount"] == 7


def test_the_outcome_of_a_resize_is_told_with_its_code_and_its_duration(
    ticking: Ticking, caplog: pytest.LogCaptureFixture
) -> None:
    ticking.aks.arm.faults.script("PUT", Fault.OPERATION_FAILS)
    ticking.run()
    caplog.clear()

    with caplog.at_level(logging.INFO, logger="forescale"):
        ticking.run(after_min=5)

    line = next(line for line in caplog.messages if "resize_outcome" in line)
    assert '"status": "failed"' in line
    assert '"error_code": "AllocationFailed"' in line
    assert '"took_s": 240.0' in line


def test_the_outcome_of_a_resize_is_noted_on_the_next_decision(ticking: Ticking) -> None:
    ticking.run()
    ticking.run(after_min=5)

    logged = ticking.fan_out.tick.log.of_day("web", "2026-03-02")[-1]
    assert "the resize to 7 nodes succeeded after 240 s" in logged["notes"]


def test_a_pool_that_was_just_written_is_read_anew_and_the_others_from_the_list(ticking: Ticking) -> None:
    other, _ = ticking.aks.add("other")
    written, _ = ticking.aks.add("written")
    ticking.aks.scale(written, 5)

    states = [ticking.aks.read(written).provisioning, ticking.aks.read(other).provisioning]

    assert states == [Provisioning.BUSY, Provisioning.READY]
    assert ticking.aks.arm.asked("GET", "/agentPools") == 1


def test_pools_that_are_read_side_by_side_share_one_list_call(ticking: Ticking) -> None:
    [ticking.aks.arm.cluster().add(f"pool{number}") for number in range(8)]
    pools = [pool_named(f"pool{number}") for number in range(8)]

    with ThreadPoolExecutor(max_workers=8) as side_by_side:
        states = list(side_by_side.map(ticking.aks.pools.read, pools))

    assert [state.nodes for state in states] == [3] * 8
    assert ticking.aks.arm.asked("GET") == 1
