"""The search for a counterexample.

examples.py draws cases, search.py tries them, shrink.py makes one small, and diagnose.py names the known bug that
behaves alike.
"""
