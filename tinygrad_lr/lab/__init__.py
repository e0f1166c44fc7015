"""The laboratory: a page in which one sees learning rates work, by the rules that train, translated to JavaScript.

    >>> from tinygrad_lr import lab
    >>> text = lab.page()   # one HTML file; `lab.show()` draws it in a notebook

From the bottom: translation/ (from Python to JavaScript), surfaces.py and batches.py (what is descended on), rows.py
(of a table), descents.py (both for programs), engine.py (all rules as one script), laboratory.py (the page) and
notebook.py. The folder web/ has the sources of what the page does in a browser; pages/bundles/ has what is built of
them. The command is `tinygrad-lr lab`.
"""

from .descents import Descent, least_squares, surface_of
from .laboratory import page
from .notebook import show
from .rows import TableRows, rows_of

__all__ = ["Descent", "TableRows", "least_squares", "page", "rows_of", "show", "surface_of"]
