"""Localisation of the broken submissions that a streaming pass hands over: the same answers as ``localise``, in order.

Belongs here: rows of the wide frame as cases. Does not belong here: finding them (stream.py), explaining one
(localise.py).
"""

from __future__ import annotations

import polars as pl

from pipelines.validate.localise import Case, localise_many
from schemas.form import Form
from schemas.frames import ATTRIBUTES
from schemas.intake import Explanation
from schemas.rules import LAST_YEAR, RuleSet

Located = tuple[str, str, tuple[Explanation, ...]]


def localise_broken(
    form: Form, rules: RuleSet, broken: pl.DataFrame, *, most: int | None = 5, processes: int = 1
) -> list[Located]:
    """(region, file, explanations) of each row of ``Scanned.broken``, in its order.

    ``most`` and ``processes`` as in ``localise_many``, which starts processes only for some thousands of rows.
    """
    cells = [cell.id for cell in form.cells]
    history = list(rules.history_keys)
    figures = broken.select(cells).rows()
    before = broken.select([name + LAST_YEAR for name in history]).rows()
    freed = broken.select(ATTRIBUTES).rows()
    found: list[tuple[Explanation, ...]] = [()] * broken.height
    for attributes in dict.fromkeys(freed):
        at = [row for row, own in enumerate(freed) if own == attributes]
        cases = [
            Case(figures[row], {k: v for k, v in zip(history, before[row], strict=True) if v is not None}) for row in at
        ]
        held = frozenset(name for name, has in zip(ATTRIBUTES, attributes, strict=True) if has)
        answers = localise_many(form.edition, cases, attributes=held, most=most, processes=processes)
        for row, answer in zip(at, answers, strict=True):
            found[row] = answer
    names = broken.select("region", "file").rows()
    return [(region, file, answer) for (region, file), answer in zip(names, found, strict=True)]
