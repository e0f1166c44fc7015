"""docs/conformance.md: what torch, optax, keras and this package compute, examined by the same checks.

    python -m tinygrad_lr.verify.conformance docs/conformance.md

Read command.py first; optimizers.py lists what is examined.
"""
