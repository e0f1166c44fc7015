"""Bounds of what correct arithmetic may give: enclosure.py for formulas, storage.py for short states.

oracle.py evaluates a formula in fifty digits.
"""
