"""Writes docs/parity.md: `python tests/parity.py docs/parity.md`. It needs the extra `peers`."""

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent / "cases"))
    from parity.document import document

    Path(sys.argv[1]).write_text(document(), encoding="utf-8")
