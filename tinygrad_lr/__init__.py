"""tinygrad_lr: a learning-rate laboratory on NumPy and Numba."""

__version__ = "0.1.0"
