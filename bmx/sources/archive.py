"""The members of one zip archive, inflated in memory and never trusted.

The standard library reads the list of members, so that it judges which archives are damaged; a faster one inflates
them. Nothing is written to the disk under a name that an archive chose, and what an archive claims about sizes bounds
what is allocated: more than it claims is an error, and it may not claim much.
"""

from __future__ import annotations

import hashlib
import io
import struct
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import deflate

from bmx.errors import SourceError
from bmx.sources.places import open_place

MOST_BYTES: Final = 512 * 2**20
"""Of an archive: it is read whole. A complete exam has about 55 MB."""
MOST_MEMBERS: Final = 20_000
"""Of an archive; a complete exam has 1,329."""
MOST_INFLATED: Final = 2**30
"""Bytes that the members of an archive may have together; those of a complete exam have 100 MB."""
LARGEST_MEMBER: Final = 16 * 2**20
"""Bytes of one member; an image has 80 kB."""

_STORED, _DEFLATED = zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED
_ENCRYPTED = 0x1
_local_header = struct.Struct("<4s5HIIIHH")
_end_of_directory = struct.Struct("<4s4HIIH")
_ENTRY = b"PK\x01\x02"
_MOST_COMMENT = 2**16

_BROKEN = (
    zipfile.BadZipFile, NotImplementedError, ValueError, LookupError, EOFError, OverflowError, RuntimeError,
    struct.error,
)  # fmt: skip
"""What zipfile raises on a list of members that is damaged or of another version (found by fuzzing)."""


@dataclass(frozen=True, slots=True)
class Member:
    """Where one member lies in the archive, and what the archive says of it."""

    start: int
    """Offset of its first packed byte."""
    packed: int
    """Bytes it takes in the archive."""
    size: int
    """Bytes it has when inflated."""
    crc: int
    is_deflated: bool


def read_archive(where: str) -> bytes:
    """Read a file from a path or URL, whole; SourceError if no exam is so large."""
    fs, path = open_place(where)
    size = int(fs.size(path) or 0)
    if size > MOST_BYTES:
        raise SourceError(f"expected an archive of at most {MOST_BYTES} bytes, found {size}")
    content: bytes = fs.cat_file(path)
    return content


class Archive:
    """The members of one archive.

    Parameters
    ----------
    content : bytes
        The archive, from `read_archive`.

    Raises
    ------
    SourceError
        If it isn't a zip, or claims more than an exam can have.
    """

    def __init__(self, content: bytes) -> None:
        self._content = memoryview(content)
        self.members: Mapping[str, Member]
        self.rejected: Mapping[str, str]
        """Members that can't be read, and why."""
        self.members, self.rejected = _find_members(content, _list_members(content))

    def head(self, name: str, size: int) -> bytes:
        """Inflate about the first `size` bytes of a member; all of it if it isn't longer. Its sum isn't checked."""
        member = self.members[name]
        if member.size <= size:
            return self.read(name)
        if not member.is_deflated:
            return bytes(self._content[member.start : member.start + size])
        packed = self._content[member.start : member.start + min(member.packed, size)]
        try:
            return zlib.decompressobj(-zlib.MAX_WBITS).decompress(packed, size)
        except zlib.error as exc:
            raise SourceError(f"{name} in the archive is damaged ({exc})") from exc

    def read(self, name: str) -> bytes:
        """Inflate a member; SourceError if it isn't what the archive says."""
        member = self.members[name]
        packed = self._content[member.start : member.start + member.packed]
        try:
            # Inflating refuses what has more bytes than it claims.
            content = bytes(deflate.deflate_decompress(packed, member.size) if member.is_deflated else packed)
        except (deflate.DeflateError, ValueError) as exc:
            raise SourceError(f"{name} in the archive is damaged ({exc})") from exc
        if len(content) != member.size:
            raise SourceError(f"{name} in the archive is damaged (expected {member.size} bytes, found {len(content)})")
        if deflate.crc32(content) != member.crc:
            raise SourceError(f"{name} in the archive is damaged (its checksum is wrong)")
        return content

    def digest(self) -> str:
        """SHA-256 digest of the archive: what `sha256sum` says of the file."""
        return hashlib.sha256(self._content).hexdigest()

    def close(self) -> None:
        """Give the memory back."""
        self._content = memoryview(b"")


def _list_members(content: bytes) -> list[zipfile.ZipInfo]:
    """Members that are files, as the archive lists them."""
    if _may_be_long(content) and (count := content.count(_ENTRY)) > MOST_MEMBERS:
        raise SourceError(f"expected at most {MOST_MEMBERS} files in an archive, found {count}")
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            found = [info for info in archive.infolist() if not info.filename.endswith("/")]
    except _BROKEN as exc:
        raise SourceError(f"expected a zip archive, found {len(content)} bytes that aren't one ({exc})") from exc
    if len(found) > MOST_MEMBERS:
        raise SourceError(f"expected at most {MOST_MEMBERS} files in an archive, found {len(found)}")
    # A member that is too large is rejected alone.
    total = sum(info.file_size for info in found if info.file_size <= LARGEST_MEMBER)
    if total > MOST_INFLATED:
        raise SourceError(f"expected at most {MOST_INFLATED} bytes in the files of an archive, found {total}")
    return found


def _may_be_long(content: bytes) -> bool:
    """Whether the list of members is long enough that counting them is worth reading the whole archive.

    zipfile makes an object for each: a hostile list would fill the memory before it can be counted.
    """
    position = content.rfind(b"PK\x05\x06", max(0, len(content) - _MOST_COMMENT - _end_of_directory.size))
    if position < 0 or position + _end_of_directory.size > len(content):
        return False
    size: int = _end_of_directory.unpack_from(content, position)[5]
    has_second_directory = content[max(0, position - 20) : position].startswith(b"PK\x06\x07")
    return has_second_directory or size > 64 * MOST_MEMBERS


def _find_members(content: bytes, listed: list[zipfile.ZipInfo]) -> tuple[dict[str, Member], dict[str, str]]:
    """Members that can be read, and those that can't, with the reason."""
    members: dict[str, Member] = {}
    rejected: dict[str, str] = {}
    last = {info.filename: info for info in listed}
    for info in listed:
        if last[info.filename] is not info:  # as if they were unpacked one after the other
            rejected[f"{info.filename} at {info.header_offset}"] = "a later file of the archive has the same name"
            continue
        found = _find_member(content, info)
        if isinstance(found, Member):
            members[info.filename] = found
        else:
            rejected[info.filename] = found
    return members, rejected


def _find_member(content: bytes, info: zipfile.ZipInfo) -> Member | str:
    """Find the bytes of a member, or say what is wrong."""
    if _leads_out(info.filename):
        return "its name leads out of the archive"
    if info.flag_bits & _ENCRYPTED:
        return "it is encrypted"
    if info.compress_type not in (_STORED, _DEFLATED):
        return f"it is compressed by method {info.compress_type}; expected 0 (stored) or 8 (deflated)"
    if info.file_size > LARGEST_MEMBER:
        return f"it would have {info.file_size} bytes; expected at most {LARGEST_MEMBER}"
    begin = info.header_offset
    if begin < 0 or begin + _local_header.size > len(content):
        return "it lies outside the archive"
    magic, _, _, _, _, _, _, _, _, name_bytes, extra_bytes = _local_header.unpack_from(content, begin)
    if magic != b"PK\x03\x04":
        return "it doesn't begin where the archive says"
    start = begin + _local_header.size + name_bytes + extra_bytes
    if start + info.compress_size > len(content):
        return "it is cut short"
    return Member(start, info.compress_size, info.file_size, info.CRC, info.compress_type == _DEFLATED)


def _leads_out(name: str) -> bool:
    """Whether unpacking a file of this name could write elsewhere."""
    whole = name.replace("\\", "/")
    parts = [part for part in whole.split("/") if part not in ("", ".")]
    return not parts or whole.startswith("/") or ".." in parts or ":" in parts[0]
