"""Trees as arrays: the same leaves as scikit-learn's, and nothing that is not a tree."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestRegressor
from threadpoolctl import threadpool_limits

from shared.errors import ModelRefused
from shared.forecasting.parameter_reader import ParameterReader
from shared.forecasting.trees import MAX_DEPTH, Trees, trees_of_boosting, trees_of_forest

COLUMNS = 5


def gappy(rows: int, *, seed: int = 3) -> NDArray[np.float64]:
    """Rows of noise; in a tenth of each column the value is unknown, and the last column repeats a few values."""
    random = np.random.default_rng(seed)
    matrix = random.normal(size=(rows, COLUMNS))
    matrix[:, -1] = random.integers(0, 3, rows)
    matrix[random.random(matrix.shape) < 0.1] = np.nan
    return matrix


def outcome(matrix: NDArray[np.float64], *, seed: int = 4) -> NDArray[np.float64]:
    noise = np.random.default_rng(seed).normal(size=len(matrix))
    return np.nan_to_num(matrix[:, 0]) + np.isnan(matrix[:, 1]) + noise


def forest_on(matrix: NDArray[np.float64]) -> RandomForestRegressor:
    forest = RandomForestRegressor(20, max_leaf_nodes=50, min_samples_leaf=2, random_state=0)
    return forest.fit(matrix, outcome(matrix))


def trees_of(forest: RandomForestRegressor) -> Trees:
    return trees_of_forest([tree.tree_ for tree in forest.estimators_], columns=COLUMNS)


def test_rows_fall_into_the_leaves_that_scikit_learn_says() -> None:
    matrix = gappy(3000)
    forest = forest_on(matrix)
    trees = trees_of(forest)

    leaves = trees.leaves(matrix.astype(np.float32))

    np.testing.assert_array_equal(leaves - trees.roots, forest.apply(matrix))


def test_one_row_falls_where_it_falls_among_many() -> None:
    matrix = gappy(600).astype(np.float32)
    trees = trees_of(forest_on(gappy(3000)))

    together = trees.leaves(matrix)

    np.testing.assert_array_equal(np.concatenate([trees.leaves(row[np.newaxis]) for row in matrix[:40]]), together[:40])
    assert trees.leaves(matrix[:0]).shape == (0, 20)


def test_a_value_that_single_precision_cannot_tell_from_the_threshold_goes_left_as_in_scikit_learn() -> None:
    matrix = np.array([[0.1], [0.1 + 1e-9], [0.3], [0.3 + 1e-9]])
    forest = RandomForestRegressor(1, bootstrap=False, random_state=0).fit(matrix, [0.0, 0.0, 1.0, 1.0])
    trees = trees_of_forest([forest.estimators_[0].tree_], columns=1)
    near = trees.threshold[0] + np.array([[-1e-12], [0.0], [1e-12]])

    np.testing.assert_array_equal(trees.leaves(near.astype(np.float32)), forest.apply(near))


def test_a_split_between_known_and_unknown_separates_them() -> None:
    matrix = np.array([[1.0], [2.0], [np.nan], [np.nan]] * 10)
    forest = RandomForestRegressor(1, bootstrap=False, random_state=0).fit(matrix, np.isnan(matrix[:, 0]) * 1.0)
    trees = trees_of_forest([forest.estimators_[0].tree_], columns=1)

    np.testing.assert_array_equal(trees.leaves(matrix.astype(np.float32)), forest.apply(matrix))
    assert np.isinf(forest.estimators_[0].tree_.threshold[0])
    assert np.isfinite(trees.threshold).all()


def test_boosted_trees_fall_where_scikit_learn_says_in_double_precision() -> None:
    matrix = gappy(3000)
    model = HistGradientBoostingRegressor(max_iter=15, max_depth=6)
    with threadpool_limits(limits=1, user_api="openmp"):
        model.fit(matrix, outcome(matrix))
    stages = [stage[0].nodes for stage in model._predictors]  # noqa: SLF001 - scikit-learn publishes no way to them
    trees = trees_of_boosting(stages, columns=COLUMNS)
    values = np.concatenate([nodes["value"] for nodes in stages])

    sums = np.cumsum(values[trees.leaves(matrix)], axis=1)[:, -1] + float(np.ravel(model._baseline_prediction)[0])  # noqa: SLF001

    np.testing.assert_allclose(sums, model.predict(matrix), rtol=1e-12, atol=1e-12)


# what is not a tree


def stump(**changes: Any) -> Trees:
    """A split and its two leaves."""
    valid: dict[str, Any] = {
        "feature": np.array([0, 0, 0], dtype=np.int32),
        "threshold": np.zeros(3),
        "left": np.array([1, 1, 2], dtype=np.int32),
        "right": np.array([2, 1, 2], dtype=np.int32),
        "missing_left": np.zeros(3, dtype=np.bool_),
        "roots": np.array([0], dtype=np.int32),
        "columns": 1,
    }
    return Trees(**{**valid, **changes})


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        pytest.param({"left": np.array([0, 1, 2], dtype=np.int32)}, "must lie behind it", id="half a leaf"),
        pytest.param({"left": np.array([1, 0, 2], dtype=np.int32)}, "must lie behind it", id="a circle"),
        pytest.param({"right": np.array([3, 1, 2], dtype=np.int32)}, "must lie behind it", id="out of the arrays"),
        pytest.param({"left": np.array([-1, 1, 2], dtype=np.int32)}, "must lie behind it", id="before the arrays"),
        pytest.param({"roots": np.array([0, 2], dtype=np.int32)}, "must lie behind it", id="into another tree"),
        pytest.param({"feature": np.array([1, 0, 0], dtype=np.int32)}, "not among the 1", id="no such feature"),
        pytest.param({"feature": np.array([-1, 0, 0], dtype=np.int32)}, "not among the 1", id="a negative feature"),
        pytest.param({"threshold": np.array([np.nan, 0, 0])}, "finite", id="a threshold that is none"),
        pytest.param({"threshold": np.array([np.inf, 0, 0])}, "finite", id="an infinite threshold"),
        pytest.param({"threshold": np.zeros(2)}, "differ in length", id="arrays of two lengths"),
        pytest.param({"roots": np.array([1], dtype=np.int32)}, "begin at 0", id="no first root"),
        pytest.param({"roots": np.array([0, 0], dtype=np.int32)}, "increase", id="two trees in one"),
        pytest.param({"roots": np.array([0, 3], dtype=np.int32)}, "there are 3 nodes", id="a tree without nodes"),
        pytest.param({"roots": np.empty(0, dtype=np.int32)}, "begin at 0", id="no tree"),
    ],
)
def test_what_is_not_a_tree_is_refused(changes: dict[str, Any], fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        stump(**changes)


def chain(splits: int) -> Trees:
    """A tree that goes ever deeper to the right."""
    here = np.arange(2 * splits + 1, dtype=np.int32)
    is_split = (here % 2 == 0) & (here < 2 * splits)
    zeros = np.zeros(len(here))
    return stump(
        feature=zeros.astype(np.int32),
        threshold=zeros,
        left=np.where(is_split, here + 1, here).astype(np.int32),
        right=np.where(is_split, here + 2, here).astype(np.int32),
        missing_left=zeros.astype(np.bool_),
    )


def test_a_tree_may_be_deep_but_not_without_end() -> None:
    assert chain(MAX_DEPTH).leaves(np.ones((1, 1))).tolist() == [[2 * MAX_DEPTH]]
    with pytest.raises(ValueError, match=f"deeper than {MAX_DEPTH} splits"):
        chain(MAX_DEPTH + 1)


@given(data=st.data(), nodes=st.integers(1, 30))
def test_any_arrays_are_refused_or_lead_every_row_to_a_leaf(data: st.DataObject, nodes: int) -> None:
    index = st.integers(-1, nodes)
    arrays = {
        name: np.array(data.draw(st.lists(index, min_size=nodes, max_size=nodes)), dtype=np.int32)
        for name in ("left", "right")
    }
    try:
        trees = stump(
            feature=np.zeros(nodes, dtype=np.int32),
            threshold=np.zeros(nodes),
            missing_left=np.zeros(nodes, dtype=np.bool_),
            **arrays,
        )
    except ValueError as exc:
        assert "not decision trees" in str(exc)  # noqa: PT017 - either is right
    else:
        leaves = trees.leaves(np.array([[-1.0], [1.0], [np.nan]])).ravel()
        assert (trees.left[leaves] == leaves).all()


def test_trees_are_the_same_after_their_parameters() -> None:
    trees = trees_of(forest_on(gappy(500)))

    again = Trees.from_parameters(ParameterReader(trees.to_parameters("t."), family="x"), "t.", columns=COLUMNS)

    matrix = gappy(100, seed=9).astype(np.float32)
    np.testing.assert_array_equal(again.leaves(matrix), trees.leaves(matrix))


def test_parameters_that_are_not_trees_are_refused_by_name() -> None:
    circle = replace(stump(), left=np.array([1, 1, 2], dtype=np.int32)).to_parameters("t.")
    wrong = {**circle, "t.left": np.array([0, 1, 2], dtype=np.int32)}

    with pytest.raises(
        ModelRefused, match=r"parameter 't\.\*' of a x model cannot be used: these are not decision trees"
    ):
        Trees.from_parameters(ParameterReader(wrong, family="x"), "t.", columns=1)
