"""Counting exceedances in leaves, and the distribution that they make."""

import numpy as np
import pytest
from numpy.typing import NDArray

from shared.errors import ModelRefused
from shared.forecasting.leaf_tables import EDGE_LEVELS, LeafTables, edges_of
from shared.forecasting.parameter_reader import ParameterReader
from shared.forecasting.parameters import QUANTILE_LEVELS

NODES = 12
TREES = 3
HORIZON = 2
ROWS = 400
MIDDLE = int(np.searchsorted(QUANTILE_LEVELS, 0.5))

random = np.random.default_rng(5)
ERRORS = random.normal(size=(ROWS, HORIZON))
LEAVES = random.integers(0, 4, (ROWS, TREES)).astype(np.intp) + 4 * np.arange(TREES)
WEIGHTS = random.uniform(0.1, 1.0, ROWS)
EDGES = edges_of(ERRORS)


def counted(errors: NDArray[np.float64] = ERRORS) -> LeafTables:
    return LeafTables.count(errors, LEAVES, edges=EDGES, weights=WEIGHTS, nodes=NODES + 1)


def test_a_leaf_says_how_often_its_rows_exceeded_each_edge() -> None:
    tables = counted()
    inside = LEAVES[:, 1] == 6

    by_hand = [
        np.average(ERRORS[inside, ahead] > edge, weights=WEIGHTS[inside]) for ahead in range(2) for edge in EDGES[ahead]
    ]

    np.testing.assert_array_equal(tables.exceedance[tables.slot[6]], np.array(by_hand).astype(np.float16))


def test_a_node_that_no_row_reached_says_what_all_rows_say() -> None:
    tables = counted()

    by_hand = [np.average(ERRORS[:, ahead] > edge, weights=WEIGHTS) for ahead in range(2) for edge in EDGES[ahead]]

    assert tables.slot[NODES] == 0
    np.testing.assert_array_equal(tables.exceedance[0], np.array(by_hand).astype(np.float16))


def test_an_error_at_an_edge_does_not_exceed_it() -> None:
    at_edges = np.tile(EDGES[:, 7], (ROWS, 1))

    tables = counted(at_edges)

    assert tables.exceedance[0, 6] == 1.0
    assert tables.exceedance[0, 7] == 0.0


def test_the_distribution_of_all_rows_is_that_of_their_errors() -> None:
    tables = LeafTables.count(ERRORS, np.zeros((ROWS, 1), np.intp), edges=EDGES, weights=np.ones(ROWS), nodes=1)

    quantiles = tables.error_quantiles(np.zeros((5, 1), dtype=np.intp))

    assert quantiles.shape == (5, HORIZON, len(QUANTILE_LEVELS))
    assert (np.diff(quantiles, axis=2) >= 0).all()
    assert quantiles[4, 1, MIDDLE] == pytest.approx(np.median(ERRORS[:, 1]), abs=0.02)
    assert (quantiles[0, :, -1] > ERRORS.max(axis=0)).all()  # the tail goes on beyond what was seen


def test_many_rows_at_once_get_what_each_gets_alone() -> None:
    tables = counted()
    leaves = np.tile(LEAVES, (3, 1))

    together = tables.error_quantiles(leaves)

    np.testing.assert_array_equal(together[1100], tables.error_quantiles(leaves[1100:1101])[0])


def test_tables_are_the_same_after_their_parameters() -> None:
    tables = counted()

    reader = ParameterReader(tables.to_parameters("l."), family="x")
    again = LeafTables.from_parameters(reader, "l.", horizon=HORIZON, nodes=NODES + 1)

    np.testing.assert_array_equal(again.error_quantiles(LEAVES), tables.error_quantiles(LEAVES))


@pytest.mark.parametrize(
    ("name", "array", "fault"),
    [
        ("l.slot", np.full(NODES + 1, 13, dtype=np.int32), "lies within 13 and 13, allowed are 0 to 12"),
        ("l.slot", np.full(NODES, 0, dtype=np.int32), r"has shape \(12,\), not \(13\)"),
        ("l.exceedance", np.full((13, 44), 1.5, dtype=np.float16), "allowed are 0 to 1"),
        ("l.exceedance", np.full((0, 44), 1.0, dtype=np.float16), "is empty"),
        ("l.exceedance", np.full((13, 43), 1.0, dtype=np.float16), r"not \(any, 44\)"),
        ("l.edges", np.tile(-EDGE_LEVELS, (2, 1)), "falls where it must increase"),
        ("l.top", np.array([np.inf, 0]), "lies within 0 and inf"),
    ],
)
def test_tables_that_nobody_counted_are_refused_by_name(name: str, array: np.ndarray, fault: str) -> None:
    wrong = {**counted().to_parameters("l."), name: array}

    with pytest.raises(ModelRefused, match=f"parameter '{name}' of a x model .*{fault}"):
        LeafTables.from_parameters(ParameterReader(wrong, family="x"), "l.", horizon=HORIZON, nodes=NODES + 1)
