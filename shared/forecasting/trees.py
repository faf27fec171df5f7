"""Decision trees as plain arrays: which leaf each row falls into, for all trees at once, without scikit-learn.

A split compares as scikit-learn's does: a value at most the threshold goes left, an unknown one goes where the split
says (``sklearn/tree/_tree.pyx``, ``_apply_dense``; ``sklearn/ensemble/_hist_gradient_boosting/_predictor.pyx``). Its
forests look at features in single precision and its boosting in double: whoever asks here casts first, the thresholds
are in double precision for both.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from shared.forecasting.forecaster import Parameters
from shared.forecasting.parameter_reader import ParameterReader

if TYPE_CHECKING:
    from sklearn.tree._tree import Tree as ScikitTree

MAX_DEPTH = 128
"""Splits on the way to a leaf; a tree of a hundred leaves cannot be deeper than 99."""
ROWS_AT_ONCE = 512
"""Rows that are followed down side by side: what they need stays in the processor's cache."""
LARGEST_THRESHOLD = float(np.finfo(np.float64).max)
FINITE = (-LARGEST_THRESHOLD, LARGEST_THRESHOLD)
ARRAYS = ("feature", "threshold", "left", "right", "missing_left", "roots")


@dataclass(frozen=True, slots=True, kw_only=True)
class Trees:
    """Several trees, node after node and tree after tree.

    ``roots`` has shape ``(trees,)``, increasing, the first is 0; all others have shape ``(nodes,)``. A leaf's children
    are the leaf itself; those of a split lie behind it, within its tree. ``feature`` is a column of the rows that are
    asked for, of which there are ``columns``. Raises ``ValueError`` for anything else.
    """

    feature: NDArray[np.int32]
    threshold: NDArray[np.float64]
    left: NDArray[np.int32]
    right: NDArray[np.int32]
    missing_left: NDArray[np.bool_]
    roots: NDArray[np.int32]
    columns: int

    def __post_init__(self) -> None:
        """Check everything once, so that no row can ever be sent in a circle or out of the arrays."""
        nodes = len(self.feature)
        parts = (self.threshold, self.left, self.right, self.missing_left)
        if self.feature.ndim != 1 or not nodes or any(part.shape != (nodes,) for part in parts):
            _refuse(f"the arrays of {nodes} nodes differ in length")
        if self.roots.ndim != 1 or not len(self.roots) or self.roots[0] != 0 or (np.diff(self.roots) <= 0).any():
            _refuse("the roots must begin at 0 and increase")
        if self.roots[-1] >= nodes:
            _refuse(f"the last root is {self.roots[-1]}, there are {nodes} nodes")
        self._check_splits()
        self._check_depth()

    def __len__(self) -> int:
        """Return the number of trees."""
        return len(self.roots)

    def leaves(self, matrix: NDArray[np.float32] | NDArray[np.float64]) -> NDArray[np.intp]:
        """Return the node that each row ends in, for each tree: shape ``(rows, trees)``.

        ``matrix`` has shape ``(rows, columns)``, NaN where unknown. Nodes are counted through all trees.
        """
        unknown = np.isnan(matrix)
        found = np.empty((len(matrix), len(self)), dtype=np.intp)
        # An unknown value that goes left is read as -inf, one that goes right as +inf: each row stands there twice.
        column = np.where(self.missing_left, self.feature, self.feature + self.columns).astype(np.intp)
        child = np.column_stack([self.left, self.right]).astype(np.intp).ravel()
        for first in range(0, len(matrix), ROWS_AT_ONCE):
            rows = slice(first, first + ROWS_AT_ONCE)
            part, missing = matrix[rows], unknown[rows]
            twice = np.concatenate([np.where(missing, -np.inf, part), np.where(missing, np.inf, part)], axis=1)
            found[rows] = self._follow_down(twice, column, child)
        return found

    def to_parameters(self, prefix: str) -> Parameters:
        """Return the arrays, their names beginning with ``prefix``."""
        return {f"{prefix}{name}": getattr(self, name) for name in ARRAYS}

    @classmethod
    def from_parameters(cls, reader: ParameterReader, prefix: str, *, columns: int) -> Self:
        """Take the arrays; raises :class:`~shared.errors.ModelRefused`."""
        feature = reader.take(f"{prefix}feature", np.int32, (None,), within=(0, columns - 1))
        nodes = len(feature)
        try:
            return cls(
                feature=feature,
                threshold=reader.take(f"{prefix}threshold", np.float64, (nodes,), within=FINITE),
                left=reader.take(f"{prefix}left", np.int32, (nodes,), within=(0, nodes - 1)),
                right=reader.take(f"{prefix}right", np.int32, (nodes,), within=(0, nodes - 1)),
                missing_left=reader.take(f"{prefix}missing_left", np.bool_, (nodes,)),
                roots=reader.take(f"{prefix}roots", np.int32, (None,), within=(0, nodes - 1)),
                columns=columns,
            )
        except ValueError as exc:
            reader.refuse(f"{prefix}*", f"cannot be used: {exc}")

    def _follow_down(self, twice: NDArray[Any], column: NDArray[np.intp], child: NDArray[np.intp]) -> NDArray[np.intp]:
        """Follow all rows down all trees, level by level; a row that reached its leaf is looked at no more."""
        is_split = self.left != np.arange(len(self.left))
        values = twice.ravel()
        ends = np.tile(self.roots.astype(np.intp), len(twice))
        on_the_way = np.flatnonzero(is_split[ends])
        node = ends[on_the_way]
        start = np.repeat(np.arange(len(twice)) * twice.shape[1], len(self))[on_the_way]
        while len(node):
            goes_right = values[start + column[node]] > self.threshold[node]
            node = child[2 * node + goes_right]
            ends[on_the_way] = node
            still = is_split[node]
            node, start, on_the_way = node[still], start[still], on_the_way[still]
        return ends.reshape(len(twice), len(self))

    def _check_splits(self) -> None:
        here = np.arange(len(self.feature))
        end_of_tree = np.repeat(np.append(self.roots[1:], len(here)), np.diff(np.append(self.roots, len(here))))
        is_leaf = (self.left == here) & (self.right == here)
        for child in (self.left, self.right):
            if (~is_leaf & ((child <= here) | (child >= end_of_tree))).any():
                _refuse("a split's children must lie behind it, within its tree")
        if (self.feature < 0).any() or (self.feature >= self.columns).any():
            _refuse(f"a node names a feature that is not among the {self.columns}")
        if not np.isfinite(self.threshold).all():
            _refuse("a threshold must be a finite number")

    def _check_depth(self) -> None:
        """Walk down from the roots, level by level; nodes that two splits share are visited once."""
        here = np.arange(len(self.feature))
        level = self.roots.astype(np.intp)
        for _ in range(MAX_DEPTH + 1):
            splits = level[self.left[level] != here[level]]
            if not len(splits):
                return
            level = np.unique(np.concatenate([self.left[splits], self.right[splits]]))
        _refuse(f"a tree is deeper than {MAX_DEPTH} splits")


def trees_of_forest(forest: Sequence["ScikitTree"], *, columns: int) -> Trees:
    """Return the trees of a fitted scikit-learn forest (``estimator.tree_`` of each), nodes in scikit-learn's order."""
    return _stack(
        [
            (tree.feature, tree.threshold, tree.children_left, tree.children_right, tree.missing_go_to_left)
            for tree in forest
        ],
        columns=columns,
    )


def trees_of_boosting(stages: Sequence[NDArray[Any]], *, columns: int) -> Trees:
    """Return the trees of a fitted ``HistGradientBoostingRegressor`` (``nodes`` of each stage's predictor)."""
    return _stack(
        [
            (
                nodes["feature_idx"],
                nodes["num_threshold"],
                np.where(nodes["is_leaf"], -1, nodes["left"].astype(np.int64)),
                np.where(nodes["is_leaf"], -1, nodes["right"].astype(np.int64)),
                nodes["missing_go_to_left"],
            )
            for nodes in stages
        ],
        columns=columns,
    )


_Nodes = tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]
"""Feature, threshold, left and right child (negative at a leaf), and whether what is unknown goes left."""


def _stack(trees: Sequence[_Nodes], *, columns: int) -> Trees:
    """Put the trees behind each other; what a leaf says of a split is cleared, for it means nothing.

    A threshold of +inf separates the known from the unknown; the largest number does so too.
    """
    roots = np.cumsum([0, *(len(nodes[0]) for nodes in trees[:-1])])
    feature, threshold, left, right, missing_left = (np.concatenate(part) for part in zip(*trees, strict=True))
    is_leaf = left < 0
    here = np.arange(len(feature))
    root = np.repeat(roots, [len(nodes[0]) for nodes in trees])
    return Trees(
        feature=np.where(is_leaf, 0, feature).astype(np.int32),
        threshold=np.where(is_leaf, 0.0, np.minimum(threshold, LARGEST_THRESHOLD)).astype(np.float64),
        left=np.where(is_leaf, here, left + root).astype(np.int32),
        right=np.where(is_leaf, here, right + root).astype(np.int32),
        missing_left=np.where(is_leaf, False, missing_left).astype(np.bool_),
        roots=roots.astype(np.int32),
        columns=columns,
    )


def _refuse(fault: str) -> None:
    msg = f"these are not decision trees: {fault}"
    raise ValueError(msg)
