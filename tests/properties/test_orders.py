"""Lead-time arithmetic against the benchmark's own definition: ready[t] = min(desired[t-1-L .. t-1])."""

from datetime import timedelta

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from scaler.core.orders import Order, pool_order_history
from scaler.core.sizing import MISS_PRICES, nodes_by_price, nodes_for, size
from tests.builders import NOW, STEP, forecast, pool

counts = st.lists(st.integers(0, 30), min_size=1, max_size=20)
leads = st.integers(0, 5)


def orders_after_each_interval(desired: list[int]) -> list[Order]:
    """A decision after interval ``i`` is made when ``i`` ends."""
    return [
        Order(at=NOW + (index + 1) * STEP, wanted_nodes=nodes, desired_nodes=nodes)
        for index, nodes in enumerate(desired)
    ]


@given(desired=counts, lead=leads, data=st.data())
def test_what_is_ready_is_what_the_benchmark_says(desired: list[int], lead: int, data: st.DataObject) -> None:
    interval = data.draw(st.integers(1 + lead, len(desired) + lead + 3))
    orders = pool_order_history(orders_after_each_interval(desired), lead_time=lead * STEP, nodes_before=7)

    ready = orders.ready_nodes(NOW + interval * STEP)

    in_force = desired[min(interval - 1 - lead, len(desired) - 1) : interval]
    assert ready is not None
    assert ready.tolist() == [min(in_force)]


@given(desired=counts, lead=leads, data=st.data())
def test_nothing_is_known_of_intervals_before_the_first_order_serves(
    desired: list[int], lead: int, data: st.DataObject
) -> None:
    interval = data.draw(st.integers(-3, lead))
    orders = pool_order_history(orders_after_each_interval(desired), lead_time=lead * STEP, nodes_before=7)

    assert orders.ready_nodes(NOW + interval * STEP) is None


@given(desired=counts, lead=leads, ahead=st.integers(-3, 8))
def test_earlier_orders_limit_what_can_still_be_ready(desired: list[int], lead: int, ahead: int) -> None:
    """No order made now can have more ready than ``max_ready_nodes``, and one of that size has exactly that ready."""
    now_utc = NOW + (len(desired) + 1) * STEP
    start_utc = now_utc + ahead * STEP
    past = orders_after_each_interval(desired)
    orders = pool_order_history(past, lead_time=lead * STEP, nodes_before=7)

    most = orders.max_ready_nodes(start_utc, now_utc=now_utc)

    generous = Order(at=now_utc, wanted_nodes=10**6, desired_nodes=10**6)
    ready = pool_order_history([*past, generous], lead_time=lead * STEP, nodes_before=7).ready_nodes(start_utc)
    expected = (
        None if ahead >= lead else min([*([7] if ready is None else []), *reaching(past, start_utc - lead * STEP)])
    )
    assert (None if most is None else int(most[0])) == expected


def reaching(orders: list[Order], since: object) -> list[int]:
    """The nodes of the order in force at ``since``, and of every later one."""
    in_force = [order.desired_nodes for order in orders if order.at <= since][-1:]  # type: ignore[operator]
    return in_force + [order.desired_nodes for order in orders if order.at > since]  # type: ignore[operator]


@given(minutes=st.integers(0, 240), step=st.integers(1, 60))
def test_a_lead_time_is_rounded_up_to_whole_intervals(minutes: int, step: int) -> None:
    intervals = pool(lead_time_min=minutes).lead_intervals(timedelta(minutes=step))

    assert (intervals - 1) * step < minutes <= intervals * step


@given(demand=st.floats(0, 1e9), units=st.floats(1e-3, 1e6))
def test_nodes_serve_the_demand_and_one_fewer_would_not(demand: float, units: float) -> None:
    nodes = nodes_for(demand, units)

    assert nodes * units >= demand * (1 - 1e-6) - units * 1e-6
    assert nodes == 0 or (nodes - 1) * units < demand


@given(low=st.floats(0, 1e9), high=st.floats(0, 1e9), units=st.floats(1e-3, 1e6))
def test_more_demand_never_means_fewer_nodes(low: float, high: float, units: float) -> None:
    low, high = sorted((low, high))

    assert nodes_for(low, units) <= nodes_for(high, units)


def test_demand_that_fills_its_nodes_exactly_buys_no_more() -> None:
    assert nodes_for(0.3, 0.1) == 3
    assert nodes_for(0.0, 5.0) == 0
    assert nodes_for(5.000001, 5.0) == 2


@given(peak=st.floats(0, 5000), spread=st.floats(0, 500), units=st.floats(1, 500))
def test_a_higher_price_of_a_miss_never_buys_fewer_nodes(peak: float, spread: float, units: float) -> None:
    targets = nodes_by_price(forecast(peak, spread=spread), units_per_node=units)

    assert (np.diff(targets.nodes, axis=1) >= 0).all()
    assert (np.diff(targets.level, axis=1) >= 0).all()


@given(peak=st.floats(0, 5000), spread=st.floats(0, 500), more=st.integers(1, 50))
def test_demand_higher_by_whole_nodes_buys_just_those_more(peak: float, spread: float, more: int) -> None:
    less, greater = (
        forecast(round(peak), spread=round(spread)),
        forecast(round(peak) + more * 100, spread=round(spread)),
    )

    difference = nodes_by_price(greater, units_per_node=100).nodes - nodes_by_price(less, units_per_node=100).nodes

    assert (difference == more).all()


@given(desired=counts, lead=leads, peak=st.floats(0, 3000))
def test_what_is_ordered_now_serves_the_first_interval_that_it_can(desired: list[int], lead: int, peak: float) -> None:
    now_utc = NOW + (len(desired) + 1) * STEP
    coming = forecast(peak, first_utc=now_utc, intervals=lead + 2)
    targets = nodes_by_price(coming, units_per_node=100)
    past = orders_after_each_interval(desired)
    orders = pool_order_history(past, lead_time=lead * STEP, nodes_before=7)

    nodes = int(size(coming, targets, orders, now_utc=now_utc).nodes[-1])

    now = Order(at=now_utc, wanted_nodes=nodes, desired_nodes=nodes)
    ready = pool_order_history([*past, now], lead_time=lead * STEP, nodes_before=7).ready_nodes(now_utc + lead * STEP)
    assert ready is not None
    assert ready[0] >= targets.nodes[lead][-1] or ready[0] == min(reaching(past, now_utc))
    assert len(MISS_PRICES) == targets.nodes.shape[1]
