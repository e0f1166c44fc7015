"""The documents that are printed from the formulas: explain.py for the terminal, formulas.py for docs/formulas.md; and
elements.py, which explains a step of one element."""
