"""One file for each optimizer: formula with its source, scalar rule, CPU loops, CUDA loops. Start with sgd.py."""
