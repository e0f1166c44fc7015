"""The audit of published packages: `python -m tinygrad_lr.verify.audit` (docs/audit.md).

Read rows.py first: the packages, their optimizers and schedules, and what each claims.
"""
