"""The ground floor: optimizer kernels, arrays in, arrays out. NumPy and Numba only.

One file per optimizer holds the update's formula with its source, the scalar rule, its CPU loops and its CUDA loops.
`_jit.py` says how everything is compiled, `_run.py` runs a kernel over flat arrays on a backend. Kernels import each
other only relatively and nothing from the rest of the package. Nothing here is imported before an optimizer is built,
because importing Numba takes longer than the rest of the package together.
"""
