"""Data: `TensorDataset` holds the samples, `DataLoader` gives batches of them.

Read batches.py first. tables.py reads a CSV file into the columns of columns.py, encoding.py turns these into the
numbers of a model, shuffling.py orders the samples of an epoch, and datasets/ has the table that the package ships.
"""

from .batches import DataLoader, TensorDataset

__all__ = ["DataLoader", "TensorDataset"]
