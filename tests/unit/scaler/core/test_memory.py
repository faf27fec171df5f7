"""What a tick remembers."""

from datetime import timedelta

from scaler.core.memory import Memory
from scaler.core.orders import Order
from tests.builders import NOW


def test_old_orders_are_forgotten() -> None:
    old, recent = (Order(at=NOW - timedelta(hours=age), wanted_nodes=1, desired_nodes=1) for age in (3, 1))
    now = Order(at=NOW, wanted_nodes=2, desired_nodes=2)

    kept = Memory(orders=(old, recent)).add_order(now, keep=timedelta(hours=2))

    assert kept.orders == (recent, now)
