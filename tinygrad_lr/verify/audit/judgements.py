"""What a person judged of each accusation, with the lines that it was held to. Next: judging.py, document.py."""

from __future__ import annotations

from .judging import Judgement

JUDGEMENTS: tuple[Judgement, ...] = ()
