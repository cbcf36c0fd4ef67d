"""Who has withdrawn: a list by which `convert` knows them again, and what a withdrawal under way still has to do.

The list names nobody: it holds digests of EIDs, made with a salt of its own, so that it can't be searched for a
number. It hides nothing from whoever wants to know: an EID has seven digits, and trying all of them takes seconds.
"""

from __future__ import annotations

import hashlib
import json
import logging
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from bmx.errors import StoreError
from bmx.partitions.work import WorkFolder

logger = logging.getLogger(__name__)

LIST, PENDING = "withdrawn.json", "withdrawing.json"
"""Files of the work folder. The second holds EIDs, and is gone when they are erased everywhere."""

_FORMAT = 1


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """The list; `eid in withdrawn` says whether somebody is on it.

    Examples
    --------
    >>> some = Withdrawn.nobody().with_eids([1234567])
    >>> 1234567 in some, 7654321 in some
    (True, False)
    """

    salt: bytes
    digests: frozenset[str]

    @classmethod
    def nobody(cls) -> Self:
        """An empty list with a new salt."""
        return cls(secrets.token_bytes(16), frozenset())

    def with_eids(self, eids: Iterable[int]) -> Self:
        """The list with some more on it."""
        return type(self)(self.salt, self.digests | {self._digest(eid) for eid in eids})

    def __contains__(self, eid: int) -> bool:
        return bool(self.digests) and self._digest(eid) in self.digests

    def _digest(self, eid: int) -> str:
        return hashlib.blake2b(str(eid).encode(), digest_size=16, salt=self.salt).hexdigest()


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """One call of `withdraw`, as it is kept until it is done."""

    eids: tuple[int, ...]
    results: tuple[str, ...]
    """Results stores in which they are to be erased, too."""
    folders: tuple[str, ...]
    """Folders of pictures, logs and tables."""
    line: str
    """What the history of the stores will say."""
    erased: int
    """How many of them the store held when it began."""


def read_eids(path: str | Path) -> list[int]:
    """Read a list of participants, one a line, as UK Biobank sends them: the EID alone or in the first column.

    Raises
    ------
    ValueError
        If there is no such file, or a line doesn't begin with a number; a header `eid` and blank lines are passed over.
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except FileNotFoundError as exc:
        raise ValueError(f"there is no {path}; expected a list of EIDs, one a line, as UK Biobank sends it") from exc
    found = []
    for number, line in enumerate(text.splitlines(), start=1):
        first = line.split(",")[0].strip().strip('"')
        if first.isdecimal():
            found.append(int(first))
        elif first and not (number == 1 and first.lower() == "eid"):
            raise ValueError(f"line {number} of {path}: expected an EID, found {first!r}; give one EID a line")
    return found


def read_withdrawn(work: WorkFolder) -> Withdrawn:
    """Read the list of a store; nobody if there is none.

    Raises
    ------
    StoreError
        If another version of bmx wrote it.
    """
    found = _read(work, LIST)
    if found is None:
        return Withdrawn.nobody()
    return Withdrawn(bytes.fromhex(found["salt"]), frozenset(found["digests"]))


def write_withdrawn(work: WorkFolder, withdrawn: Withdrawn) -> None:
    """Write the list, in place of an earlier one."""
    # Sorted, so that the order doesn't tell who withdrew together.
    _write(work, LIST, {"salt": withdrawn.salt.hex(), "digests": sorted(withdrawn.digests)})


def read_pending(work: WorkFolder) -> Withdrawal | None:
    """The withdrawal that was begun and not finished, if any."""
    found = _read(work, PENDING)
    if found is None:
        return None
    return Withdrawal(
        eids=tuple(found["eids"]),
        results=tuple(found["results"]),
        folders=tuple(found["folders"]),
        line=found["line"],
        erased=found["erased"],
    )


def write_pending(work: WorkFolder, withdrawal: Withdrawal) -> None:
    """Say what is going to be erased, before anything is."""
    _write(work, PENDING, asdict(withdrawal))


def refuse_pending(work: WorkFolder) -> None:
    """Refuse to go on while a withdrawal is begun and not finished.

    Raises
    ------
    StoreError
        Nothing may be written to the store before those who have withdrawn are out of it.
    """
    if read_pending(work) is not None:
        raise StoreError(
            f"a withdrawal from {work.store_url} was begun and not finished; call bmx.withdraw again, "
            "with the same participants or with none, before anything else is written"
        )


def leave_out_withdrawn(work: WorkFolder, found: Mapping[int, str]) -> dict[int, str]:
    """Take those who have withdrawn out of the exams that were found, EID -> where; the log says how many."""
    withdrawn = read_withdrawn(work)
    kept = {eid: where for eid, where in found.items() if eid not in withdrawn}
    if len(kept) < len(found):
        logger.warning(
            "%d of the %d exams found are of participants who have withdrawn: they are not converted; delete them",
            len(found) - len(kept), len(found),
        )  # fmt: skip
    return kept


def _read(work: WorkFolder, name: str) -> dict[str, Any] | None:
    content = work.read_file(name)
    if content is None:
        return None
    found = json.loads(content)
    if found["format"] != _FORMAT:
        raise StoreError(
            f"{work.url}/{name} has format {found['format']}, expected {_FORMAT}; use the version of bmx that wrote it"
        )
    return found  # type: ignore[no-any-return]  # whatever JSON holds


def _write(work: WorkFolder, name: str, content: Mapping[str, object]) -> None:
    work.write_file(name, json.dumps({"format": _FORMAT, **content}).encode())
