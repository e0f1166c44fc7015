"""What other projects' tests expect, restated over this package: facts, none of their code.

cases.py says what a case is; each other file is a suite and has `CASES`. tests/test_parity.py runs them, and
`python tests/parity.py docs/parity.md` counts them.
"""
