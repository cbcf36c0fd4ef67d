"""Tables for people: what `bmx inspect` and `bmx convert` show, at a width of at most 100 characters."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from bmx.acquisition import SLABS

if TYPE_CHECKING:
    import pandas as pd

    from bmx.phenotypes.fields import Field

WIDTH = 100
_CLEAN = "complete"


def show(*parts: RenderableType) -> None:
    """Print to standard output, as wide as the terminal, but no wider than `WIDTH`."""
    console = Console(highlight=False)
    console.width = min(console.width, WIDTH) if console.is_terminal else WIDTH
    for part in parts:
        console.print(part)


def series_tables(series: pd.DataFrame) -> Iterator[RenderableType]:
    """All series of one exam, as `inspect` gives them: a table for each slab, used ones first, then a sum."""
    slabs: dict[int, str] = series.attrs.get("slabs", {})
    if not series["slab"].any() and len(states := set(slabs.values())) == 1:
        yield _heading("all slabs", states.pop())
        slabs = {}
    # From head to foot, then what belongs to none.
    for number in [*SLABS, 0]:
        rows = series[series["slab"] == number].sort_values(["used", "number"], ascending=[False, True], kind="stable")
        if len(rows) or (number and slabs.get(number, "absent") != "absent"):
            name = f"slab {number}, {SLABS[number].contents}" if number else "no slab"
            yield _heading(name, slabs.get(number, ""))
        if len(rows):
            yield _series_table(rows, number=number)
            yield Text()
    yield _sum(series, slabs)


def _heading(name: str, state: str) -> Text:
    return Text(name, style="bold").append(f"  {state}", style=f"not bold {'green' if state == _CLEAN else 'yellow'}")


def _series_table(rows: pd.DataFrame, *, number: int) -> Table:
    # Widths are fixed, so that the tables of all slabs are one to the eye.
    table = Table(box=None, pad_edge=False, padding=(0, 1), show_header=False)
    table.add_column(width=1)
    table.add_column(justify="right", width=3)
    table.add_column(width=16, overflow="fold")
    table.add_column(width=13)
    table.add_column(justify="right", width=10, no_wrap=True)
    if "z_low" in rows:
        table.add_column(justify="right", width=14, no_wrap=True)
    table.add_column(ratio=1, overflow="fold")
    for row in rows.to_dict("records"):
        cells = ["✓" if row["used"] else "–", str(row["number"]) if row["number"] >= 0 else ""]
        cells += [row["description"], row["contrast"]]
        if not row["slices"]:
            cells += [""] * (len(table.columns) - 5)
        elif "z_low" in row:
            cells.append(f"{row['columns']}×{row['rows']}×{row['slices']}")
            cells.append(f"{row['z_low']:.0f} to {row['z_high']:.0f} mm")
        else:
            cells.append(f"{row['slices']} slices")
        # The heading says it already.
        reason = row["reason"].removesuffix(f"; size and position say slab {number}")
        table.add_row(*map(Text, cells), Text(reason), style="" if row["used"] else "dim")
    return table


def _sum(series: pd.DataFrame, slabs: dict[int, str]) -> Text:
    images = series[series["slices"] > 0]
    text = Text(f"{int(series['used'].sum())} of {len(images)} series are used", style="bold")
    missing = [number for number, state in slabs.items() if state.startswith("absent")]
    clean = [number for number, state in slabs.items() if state == _CLEAN]
    others = [number for number in slabs if number not in missing and number not in clean]
    for what, numbers in (("complete", clean), ("to be looked at", others), ("absent", missing)):
        if numbers:
            text.append(f"; {what}: slab {', '.join(map(str, numbers))}", style="not bold")
    if series.attrs.get("exam"):
        text.append(f"; {series.attrs['exam']}", style="not bold yellow")
    return text


def cohort_table(series: pd.DataFrame) -> Table:
    """Series of many participants, counted by what became of them."""
    from bmx.ingest.reasons import canonical

    kinds = series.assign(reason=series["reason"].map(canonical))
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, caption="for one participant: bmx inspect STORE EID")
    table.add_column("", width=1)
    for name in ("series", "participants"):
        table.add_column(name, justify="right")
    table.add_column("why", ratio=1)
    counts = kinds.groupby(["used", "reason"])["participant"].agg(["size", "nunique"]).reset_index()
    for row in counts.sort_values(["used", "size"], ascending=False, kind="stable").to_dict("records"):
        cells = ("✓" if row["used"] else "–", f"{row['size']:,}", f"{row['nunique']:,}", row["reason"])
        table.add_row(*map(Text, cells))
    return table


def report_table(report: pd.DataFrame) -> Table:
    """The report of a conversion, from `bmx.ingest_report`: a line for each kind of slab, a column for each slab."""
    numbers = sorted(set(report["slab"]) - {0})
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_footer=True)
    table.add_column("slabs", footer="all")
    table.add_column("flags and reason", ratio=1)
    for number in numbers:
        total = int(report.loc[report["slab"] == number, "participants"].sum())
        table.add_column(str(number), f"{total:,}", justify="right", no_wrap=True)
    slabs = report[report["slab"] > 0]
    kinds = slabs.pivot_table("participants", ["status", "flags", "reason"], "slab", "sum", fill_value=0, sort=False)
    kinds = kinds.loc[kinds.sum(axis=1).sort_values(ascending=False, kind="stable").index]
    for row in kinds.reset_index().to_dict("records"):
        what = Text(": ".join(part for part in (row["flags"], row["reason"]) if part))
        cells = [f"{int(row[number]):,}" if row[number] else "" for number in numbers]
        table.add_row(Text(row["status"], style="green" if row["status"] == _CLEAN else "yellow"), what, *cells)
    failed = report[report["slab"] == 0]
    if len(failed):
        table.caption = f"archives that could not be read: {int(failed['participants'].sum()):,}"
    return table


def field_table(known: Sequence[Field], *, instance: int) -> Table:
    """What to request of UK Biobank: number, visit, bmx's name and unit, title."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name, justify in (
        ("field", "right"),
        ("visit", "right"),
        ("name", "left"),
        ("unit", "left"),
        ("title", "left"),
    ):
        table.add_column(name, justify=justify)  # type: ignore[arg-type]  # rich's literals, from a loop
    for one in known:
        visit = "" if one.once else str(instance if one.asked_at is None else one.asked_at)
        table.add_row(str(one.id), visit, one.name, one.attrs.get("units", ""), one.title)
    return table
