"""How a formula's lines are read and written: notation.py parses them, latex.py and text.py print them."""
