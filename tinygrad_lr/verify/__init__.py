"""What the optimizers are checked against: formulas, derived tolerances and properties. NumPy only, no kernels.

Read formulas.py (the papers' update rules), enclosure.py (what correct arithmetic may give), check.py and
properties.py (the properties, by name), adapters.py (what can be checked).
"""
