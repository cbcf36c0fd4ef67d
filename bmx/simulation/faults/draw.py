"""Who has which faults: asked for by name, by rate, or at the rates of the paper."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from bmx.errors import SourceError
from bmx.simulation.faults.rates import PAPER
from bmx.simulation.faults.registry import FAULTS, get_fault

FaultChoice = str | Sequence[str] | Mapping[str, float]
"""`paper`, `none`, a name, names, or names with rates."""


@dataclass(frozen=True, slots=True)
class FaultPlan:
    """The faults of a cohort. Who has which depends on seed and index of the participant alone."""

    in_turn: tuple[tuple[str, ...], ...] = ()
    """The first participant has the first of these sets of faults, the second the second, and so on, in a ring."""
    rates: Mapping[str, float] = field(default_factory=dict)
    """Probability of each fault, independent of the others."""

    @classmethod
    def parse(cls, faults: FaultChoice, *, slabs: Sequence[int]) -> Self:
        """Understand what a user asks for.

        Parameters
        ----------
        faults : `paper`, `none`, one name, several (one per participant, in turn; `a+b` gives both), or rates by name
        slabs : of the exams; the paper's faults of other slabs are left out

        Raises
        ------
        SourceError
            If a name is unknown, a rate no probability, or a fault needs a slab that the exams lack.
        """
        if faults == "none":
            return cls()
        if faults == "paper":
            return cls(rates={name: rate for name, rate in PAPER.items() if _possible(name, slabs)})
        if isinstance(faults, str):
            faults = [faults]
        if isinstance(faults, Mapping):
            for name, rate in faults.items():
                _check(name, slabs)
                if not 0 <= rate <= 1:
                    raise SourceError(f"the rate of {name} must lie between 0 and 1, found {rate}")
            return cls(rates=dict(faults))
        in_turn = tuple(tuple(group.split("+")) for group in faults)
        for name in (name for group in in_turn for name in group):
            _check(name, slabs)
        return cls(in_turn)

    @classmethod
    def from_options(cls, options: Mapping[str, Any]) -> Self:
        """Read it from the options of a plan."""
        return cls(tuple(map(tuple, options["in_turn"])), options["rates"])

    def for_options(self) -> dict[str, Any]:
        """As the options of a plan hold it."""
        return {"in_turn": [list(group) for group in self.in_turn], "rates": dict(self.rates)}

    def names(self, *, seed: int, index: int) -> tuple[str, ...]:
        """Faults of one participant, in the order in which they are applied."""
        drawn = {name for name, rate in self.rates.items() if _uniform(seed, index, name) < rate}
        if self.in_turn:
            drawn |= set(self.in_turn[index % len(self.in_turn)])
        return tuple(name for name in FAULTS if name in drawn)


def fault_seed(seed: int, index: int, name: str) -> int:
    """Seed of one fault of one participant: adding a fault changes nothing about another."""
    digest = hashlib.blake2b(f"{seed}/{index}/{name}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big")


def _uniform(seed: int, index: int, name: str) -> float:
    return fault_seed(seed, index, f"{name}?") / 2**64


def _check(name: str, slabs: Sequence[int]) -> None:
    kind = get_fault(name)
    if not _possible(name, slabs):
        needed = " or ".join(map(str, kind.slabs))
        raise SourceError(f"{name} needs slab {needed}, but the exams hold {', '.join(map(str, slabs))}")


def _possible(name: str, slabs: Sequence[int]) -> bool:
    needed = FAULTS[name].slabs
    return not needed or bool(set(needed) & set(slabs))
