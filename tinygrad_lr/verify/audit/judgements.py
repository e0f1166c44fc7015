"""What a person judged of each accusation, with the lines that it was held to. Next: judging.py, document.py."""

from __future__ import annotations

from .collection_judgements import PYTORCH_OPTIMIZER, TORCH_OPTIMIZER
from .judging import Judgement
from .library_judgements import LIBRARY_JUDGEMENTS
from .package_judgements import PACKAGE_JUDGEMENTS
from .schedule_judgements import SCHEDULE_JUDGEMENTS

JUDGEMENTS: tuple[Judgement, ...] = (
    *SCHEDULE_JUDGEMENTS,
    *PYTORCH_OPTIMIZER,
    *TORCH_OPTIMIZER,
    *PACKAGE_JUDGEMENTS,
    *LIBRARY_JUDGEMENTS,
)
