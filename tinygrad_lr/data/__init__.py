"""Tables, and batches of them: a CSV file becomes arrays, a TensorDataset holds them, a DataLoader gives batches.

Read batches.py first; tables.py reads a file, encoding.py makes numbers of its columns, shuffling.py orders an epoch,
and datasets/ has the table that the package ships.
"""

from .batches import DataLoader, TensorDataset

__all__ = ["DataLoader", "TensorDataset"]
