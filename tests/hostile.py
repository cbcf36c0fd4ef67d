"""Archives that are damaged, odd or made to harm, from two small good ones; the same seed gives the same bytes.

What is wrong with the files in them stands in `tests.hostile_files`; here is what can be wrong with a zip.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from bmx.simulation.dicom_files import SeriesFiles
from tests.exams import clean_exam
from tests.hostile_files import MUTATORS, Mutator

Entries = list["Entry"]


@dataclass(frozen=True)
class Entry:
    """One member as an archive states it, true or not."""

    name: str
    packed: bytes
    size: int
    crc: int
    method: int = 8
    flags: int = 0
    stated_packed: int | None = None
    offset: int | None = None


def entry(name: str, content: bytes, *, method: int = 8) -> Entry:
    """A true one."""
    packer = zlib.compressobj(1, wbits=-15)
    packed = packer.compress(content) + packer.flush() if method == 8 else content
    return Entry(name, packed, len(content), zlib.crc32(content), method)


def archive(entries: Entries, *, comment: bytes = b"") -> bytes:
    """A zip of these members; zipfile would refuse to tell such lies."""
    body, directory = bytearray(), bytearray()
    for one in entries:
        name = one.name.encode()
        packed = len(one.packed) if one.stated_packed is None else one.stated_packed
        common = struct.pack(
            "<HHHHHIIIHH", 20, one.flags, one.method, 0, 33, one.crc, packed & 0xFFFFFFFF, one.size & 0xFFFFFFFF,
            len(name), 0,
        )  # fmt: skip
        offset = len(body) if one.offset is None else one.offset
        body += b"PK\x03\x04" + common + name + one.packed
        directory += b"PK\x01\x02\x14\x00" + common + struct.pack("<HHHII", 0, 0, 0, 0, offset) + name
    count = min(len(entries), 0xFFFF)
    end = struct.pack("<HHHHIIH", 0, 0, count, count, len(directory), len(body), len(comment))
    return bytes(body + directory + b"PK\x05\x06" + end + comment)


@cache
def good_files(which: int) -> dict[str, bytes]:
    """Name -> content: a few slices of one slab; the second exam has four contrasts and no meta information."""
    slab, contrasts, slices = ((2, ("fat", "water"), 5), (5, ("in_phase", "opposed_phase", "fat", "water"), 3))[which]
    files: dict[str, bytes] = {}
    for series in clean_exam([slab], contrasts=contrasts, seed=which).series:
        encoder = SeriesFiles(series, which, "missing" if which else "right")
        files |= {encoder.name(z): encoder.encode(z) for z in range(slices)}
    return files


@cache
def good_entries(which: int) -> tuple[Entry, ...]:
    """The same, packed, and a manifest."""
    names = "filename\n" + "\n".join(good_files(which))
    return (*(entry(name, data) for name, data in good_files(which).items()), entry("manifest.csv", names.encode()))


@cache
def _zeros(megabytes: int) -> Entry:
    return entry("zeros.dcm", bytes(megabytes * 2**20))


def _truncated(entries: Entries, rng: np.random.Generator) -> bytes:
    whole = archive(entries)
    return whole[: int(rng.integers(0, len(whole)))]


def _flipped(entries: Entries, rng: np.random.Generator) -> bytes:
    whole = bytearray(archive(entries))
    for place in rng.integers(0, len(whole), rng.integers(1, 30)):
        whole[place] ^= 1 << int(rng.integers(8))
    return bytes(whole)


def _flipped_directory(entries: Entries, rng: np.random.Generator) -> bytes:
    whole = bytearray(archive(entries))
    begin = whole.index(b"PK\x01\x02")
    for place in rng.integers(begin, len(whole), rng.integers(1, 5)):
        whole[place] ^= 1 << int(rng.integers(8))
    return bytes(whole)


def _lying_sizes(entries: Entries, rng: np.random.Generator) -> bytes:
    size = int(rng.choice([0, 1, 77_000, 200_000, 16 * 2**20, 2**31, 2**32 - 2]))
    return archive(_some(entries, rng, lambda one: replace(one, size=size)))


def _lying_places(entries: Entries, rng: np.random.Generator) -> bytes:
    packed, offset = (int(rng.choice([0, 1, 1000, 10**6, 2**32 - 2])) for _ in range(2))
    if rng.random() < 0.5:
        return archive(_some(entries, rng, lambda one: replace(one, stated_packed=packed)))
    return archive(_some(entries, rng, lambda one: replace(one, offset=offset)))


def _path_traversal(entries: Entries, rng: np.random.Generator) -> bytes:
    names = ["../../etc/passwd", "/tmp/a.dcm", "..\\..\\a.dcm", "C:\\a.dcm", "a/../../b.dcm", "", "./a.dcm", "a" * 5000]
    name = names[int(rng.integers(len(names)))]
    return archive(_some(entries, rng, lambda one: replace(one, name=name)))


def _nested(entries: Entries, rng: np.random.Generator) -> bytes:
    inner = archive(entries[: int(rng.integers(0, 4))])
    return archive([*entries[: int(rng.integers(0, len(entries)))], entry("exam.zip", inner), entry("b.dcm", inner)])


def _bomb(entries: Entries, rng: np.random.Generator) -> bytes:
    """Zeros that are honest about their size, or not; many that share their bytes; very many files."""
    zeros = _zeros(int(rng.choice([15, 17, 64])))
    kind = int(rng.integers(4))
    if kind == 0:
        return archive([*entries, zeros])
    if kind == 1:
        return archive([*entries, replace(zeros, size=77_000)])
    if kind == 2:
        shared = [replace(zeros, name=f"{i}.dcm", packed=b"", stated_packed=10**5, offset=0) for i in range(100)]
        return archive([zeros, *shared, *entries])
    return archive([*entries, *(Entry(f"{i}", b"", 0, 0, 0) for i in range(20_001))])


def _foreign(entries: Entries, rng: np.random.Generator) -> bytes:
    contents = [b"GIF89a", b"\x89PNG\r\n\x1a\n" + rng.bytes(500), b"notes", rng.bytes(5000), b"\0" * 200, b"<html>"]
    others = [entry(f"{i}.dcm", contents[int(rng.integers(len(contents)))]) for i in range(int(rng.integers(1, 8)))]
    return archive([*others, *entries[: int(rng.integers(0, len(entries) + 1))]])


def _empty_files(entries: Entries, rng: np.random.Generator) -> bytes:
    if rng.random() < 0.1:
        return archive([])
    return archive(_some(entries, rng, lambda one: entry(one.name, b"", method=int(rng.choice([0, 8])))))


def _exotic(entries: Entries, rng: np.random.Generator) -> bytes:
    """Encrypted, of another method, or patched."""
    if rng.random() < 0.4:
        return archive(_some(entries, rng, lambda one: replace(one, flags=int(rng.choice([1, 0x20, 0x40, 0x41])))))
    return archive(_some(entries, rng, lambda one: replace(one, method=int(rng.choice([0, 1, 9, 12, 14, 93, 99])))))


def _doubled(entries: Entries, rng: np.random.Generator) -> bytes:
    return archive(_some(entries, rng, lambda one: replace(one, name=entries[0].name)))


def _surrounded(entries: Entries, rng: np.random.Generator) -> bytes:
    whole = archive(entries, comment=rng.bytes(int(rng.choice([0, 100, 65_000]))))
    kind = int(rng.integers(4))
    noise = rng.bytes(int(rng.choice([0, 1, 100, 70_000])))
    return [noise + whole, whole + noise, noise, whole + whole][kind]


def _some(entries: Entries, rng: np.random.Generator, change: Callable[[Entry], Entry]) -> Entries:
    """One, a few, or all members changed."""
    share = rng.choice([0.1, 0.3, 1.0])
    chosen = rng.random(len(entries)) < share
    chosen[int(rng.integers(len(entries)))] = True
    return [change(one) if yes else one for one, yes in zip(entries, chosen, strict=True)]


_ZIPS: dict[str, Callable[[Entries, np.random.Generator], bytes]] = {
    damage.__name__.strip("_"): damage
    for damage in (
        _truncated, _flipped, _flipped_directory, _lying_sizes, _lying_places, _path_traversal, _nested, _bomb,
        _foreign, _empty_files, _exotic, _doubled, _surrounded,
    )
}  # fmt: skip
KINDS = (*_ZIPS, *MUTATORS)
EACH = 20
"""Archives of each kind: 520 altogether."""


def hostile_zips(kind: str, *, seed: int = 4, count: int = EACH) -> Iterator[bytes]:
    """Archives with one kind of trouble."""
    rng = np.random.default_rng([seed, KINDS.index(kind)])
    for number in range(count):
        which = number % 2
        entries = list(good_entries(which))
        yield _ZIPS[kind](entries, rng) if kind in _ZIPS else _with_bad_files(MUTATORS[kind], which, entries, rng)


def _with_bad_files(mutate: Mutator, which: int, entries: Entries, rng: np.random.Generator) -> bytes:
    files = good_files(which)
    chosen = set(rng.choice(list(files), int(rng.choice([1, 2, 4])), replace=False).tolist())
    return archive([entry(one.name, mutate(files[one.name], rng)) if one.name in chosen else one for one in entries])
