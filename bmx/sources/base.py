"""What every source of images must be able to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Protocol, Self, runtime_checkable

from bmx.sources.header import Header
from bmx.types import IntVolume


class Exam(Protocol):
    """The images of one participant at one visit, opened; a context manager."""

    @property
    def where(self) -> str:
        """Path or URL."""
        ...

    @property
    def headers(self) -> Sequence[Header]:
        """One for each image, in no particular order."""
        ...

    @property
    def rejected(self) -> Mapping[str, str]:
        """Files that are neither image nor manifest, and what is wrong with each."""
        ...

    @property
    def irregularities(self) -> Sequence[str]:
        """Names among `bmx.variables.SLAB_FLAGS` that hold for the whole exam."""
        ...

    def pixels(self, header: Header) -> IntVolume:
        """Read one image, (y, x) uint16; SourceError if it can't be read."""
        ...

    def digest(self) -> str:
        """Digest of everything the exam consists of."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Source(Protocol):
    """A place that holds the exams of many participants."""

    def list_exams(self) -> Mapping[int, str]:
        """EID -> where its exam lies, for every participant, by EID."""
        ...

    def open_exam(self, where: str) -> Exam:
        """Open one exam; SourceError if it can't be opened."""
        ...


@runtime_checkable
class NamesSlabs(Protocol):
    """An exam whose files say by their names which slab they are: what isn't what it claims can be refused."""

    @property
    def refused(self) -> Mapping[int, str]:
        """Slab number -> what was expected and what was found."""
        ...


def why_refused(exam: Exam, slab: int) -> str:
    """Why the source itself refuses a slab; empty if it doesn't."""
    return exam.refused.get(slab, "") if isinstance(exam, NamesSlabs) else ""


def is_simulated(exam: Exam) -> bool:
    """Whether bmx made any image of this exam."""
    return any(header.simulated for header in exam.headers)
