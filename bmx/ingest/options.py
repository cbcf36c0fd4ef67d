"""What the tasks of a conversion are told, kept in the plan."""

from __future__ import annotations

from dataclasses import MISSING, asdict, dataclass, fields
from typing import Any, Self

from bmx.acquisition import CONTRASTS, SLABS, ContrastName
from bmx.errors import StoreError
from bmx.partitions.plan import Plan
from bmx.sources.find import Layout

FIRST_VISIT = 2
"""The first UK Biobank instance with imaging; at 0 and 1 nobody was."""


@dataclass(frozen=True, slots=True)
class ConvertOptions:
    """How a store is made; the same for all its partitions."""

    source: str
    """Folder or URL that was searched last."""
    layout: Layout
    """How it keeps its exams."""
    instance: int
    """UK Biobank imaging visit."""
    slabs: tuple[int, ...]
    """Slabs that are kept."""
    contrasts: tuple[ContrastName, ...]
    """Images that are kept."""
    where: tuple[str, ...]
    """Path or URL of each participant's archive, in the order of the plan."""
    physics: bool = False
    """Whether each slab's four images are checked against each other, even those that aren't kept."""

    def __post_init__(self) -> None:
        if self.instance < FIRST_VISIT:
            raise ValueError(
                f"instance {self.instance} has no images; expected an imaging visit, 2 for the first, 3 for the repeat"
            )
        for given, known, what in ((self.slabs, SLABS, "slabs"), (self.contrasts, CONTRASTS, "contrasts")):
            if not given or len(set(given)) != len(given) or not set(given) <= set(known):
                raise ValueError(f"expected {what} among {', '.join(map(str, known))}, each once; found {given}")

    @classmethod
    def from_plan(cls, plan: Plan) -> Self:
        """Read them from a plan; one that a run or a simulation wrote is refused."""
        options = plan.options
        if missing := [one.name for one in fields(cls) if one.default is MISSING and one.name not in options]:
            raise StoreError(
                f"the work folder of this place belongs to something else: its plan lacks {', '.join(missing)}; "
                "convert into another place, or delete that folder"
            )
        return cls(
            source=options["source"],
            layout=options["layout"],
            instance=options["instance"],
            slabs=tuple(options["slabs"]),
            contrasts=tuple(options["contrasts"]),
            where=tuple(options["where"]),
            physics=options.get("physics", False),
        )

    def for_plan(self) -> dict[str, Any]:
        """As a plan holds them."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}
