"""The data that ships with the package: diabetes.csv. diabetes_source.txt names its source.

It has 442 patients, ten measurements and one target: the inputs of the article's Linear(10, 1). The columns are in raw
units, in which least squares is badly conditioned; encoding.py standardises them.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..tables import Table, read_table

__all__ = ["DIABETES", "DIABETES_TARGET", "diabetes", "diabetes_table"]

DIABETES = Path(__file__).with_name("diabetes.csv")
DIABETES_TARGET = "target"


def diabetes_table() -> Table:
    """The diabetes data as a table of 442 rows and 11 columns; the target is the column "target".

    Source: Efron, Hastie, Johnstone and Tibshirani (2004), "Least Angle Regression", Annals of Statistics 32(2).

    Example:
        >>> diabetes_table().names
        ['age', 'sex', 'bmi', 'bp', 's1', 's2', 's3', 's4', 's5', 's6', 'target']
    """
    return read_table(DIABETES)


def diabetes(dtype: type = np.float32) -> tuple[np.ndarray, np.ndarray]:
    """The diabetes data as arrays in raw units: inputs of shape (442, 10) and the target of shape (442, 1).

    Example:
        >>> inputs, target = diabetes()
        >>> inputs.shape, target.shape, inputs.dtype
        ((442, 10), (442, 1), dtype('float32'))
    """
    table = diabetes_table()
    values: np.ndarray = np.stack([table.numbers(name) for name in table.names], axis=1).astype(dtype)
    return np.ascontiguousarray(values[:, :-1]), np.ascontiguousarray(values[:, -1:])
