"""A table of text cells with notes below it, for a terminal, a notebook and a paper."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from pathlib import Path

import pandas as pd

from bmx.analysis.report import latex_table


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class TextTable:
    """What is printed; every digit is kept elsewhere."""

    title: str
    cells: pd.DataFrame
    """Text; the first columns say what a row is about."""
    notes: tuple[str, ...] = ()

    def to_html(self, path: str | Path | None = None) -> str:
        """Give an HTML table with its notes, and write it to `path` if there is one."""
        table = self.cells.to_html(index=False, border=0)
        foot = "<br>".join(map(escape, self.notes))
        return written(f"<p>{escape(self.title)}</p>{table}<p>{foot}</p>", path)

    def to_latex(self, path: str | Path | None = None) -> str:
        """Give a LaTeX table for the package booktabs, and write it to `path` if there is one."""
        header = [str(name) for name in self.cells.columns]
        return written(latex_table(self.title, header, self.cells.to_numpy().tolist(), self.notes), path)

    def _repr_html_(self) -> str:
        return self.to_html()

    def __repr__(self) -> str:
        rows = [[str(name) for name in self.cells.columns], *self.cells.astype(str).to_numpy().tolist()]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
        return "\n".join(line.rstrip() for line in [self.title, *lines, *self.notes])


def written(text: str, path: str | Path | None) -> str:
    """The text, which is also written to `path` if there is one."""
    if path is not None:
        Path(path).write_text(text, encoding="utf-8")
    return text
