from __future__ import annotations

import io
import tracemalloc
import zipfile
import zlib
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bmx.errors import SourceError
from bmx.sources.archive import LARGEST_MEMBER, Archive, read_archive
from tests.hostile import Entry, archive, entry

TEXT = b"In the beginning was the image. " * 1000


def opened(folder: Path, content: bytes) -> Archive:
    path = folder / "a.zip"
    path.write_bytes(content)
    return Archive(read_archive(str(path)))


@given(
    contents=st.dictionaries(st.text("abc", min_size=1), st.binary(max_size=3000), max_size=5),
    method=st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]),
    # In a comment that holds the mark of the end, zipfile itself gets lost.
    comment=st.binary(max_size=50).filter(lambda comment: b"PK\x05\x06" not in comment),
)
def test_archive__reads_what_zipfile_wrote(
    tmp_path_factory: pytest.TempPathFactory, contents: dict[str, bytes], method: int, comment: bytes
) -> None:
    """Oracle: the standard library."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as made:
        made.comment = comment
        for name, content in contents.items():
            made.writestr(name, content)
    found = opened(tmp_path_factory.mktemp("zip"), buffer.getvalue())
    assert {name: found.read(name) for name in found.members} == contents
    assert found.rejected == {}


def test_archive__reads_zips_that_were_written_as_a_stream(tmp_path: Path) -> None:
    """Their sizes stand behind the members, and only the list at the end has them."""

    class Stream(io.BytesIO):
        def seekable(self) -> bool:
            return False

    stream = Stream()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as made, made.open("a", "w", force_zip64=True) as member:
        member.write(TEXT)
    assert opened(tmp_path, stream.getvalue()).read("a") == TEXT


@pytest.mark.parametrize("method", [0, 8])
def test_head__inflates_no_more_than_is_asked(tmp_path: Path, method: int) -> None:
    """Headers of a thousand files are wanted before it is known which pixels are."""
    found = opened(tmp_path, archive([entry("a", TEXT, method=method)]))
    head = found.head("a", 100)
    assert 0 < len(head) <= 100
    assert TEXT.startswith(head)
    assert found.head("a", len(TEXT)) == TEXT


GOOD = entry("a", TEXT)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (replace(GOOD, crc=1), "checksum is wrong"),
        (replace(GOOD, size=len(TEXT) + 1), f"expected {len(TEXT) + 1} bytes, found {len(TEXT)}"),
        (replace(GOOD, size=len(TEXT) - 1), "Decompression failed"),
        (replace(GOOD, packed=GOOD.packed[:-20]), "Decompression failed"),
        (replace(entry("a", TEXT, method=0), size=5), f"expected 5 bytes, found {len(TEXT)}"),
    ],
)
def test_read__says_that_a_member_is_damaged(tmp_path: Path, bad: Entry, message: str) -> None:
    """The checksum was made where the image was; nothing else says that it is still the same."""
    found = opened(tmp_path, archive([bad]))
    with pytest.raises(SourceError, match=f"a in the archive is damaged .*{message}"):
        found.read("a")


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (replace(GOOD, flags=1), "it is encrypted"),
        (replace(GOOD, method=14), r"it is compressed by method 14; expected 0 \(stored\) or 8 \(deflated\)"),
        (replace(GOOD, size=LARGEST_MEMBER + 1), "it would have 16777217 bytes; expected at most 16777216"),
        (replace(GOOD, stated_packed=10**6), "it is cut short"),
        (replace(GOOD, offset=5), "it doesn't begin where the archive says"),
        (replace(GOOD, offset=10**6), "it lies outside the archive|it doesn't begin"),
        (replace(GOOD, name="../a"), "its name leads out of the archive"),
        (replace(GOOD, name="C:\\a"), "its name leads out of the archive"),
        (replace(GOOD, name="/etc/a"), "its name leads out of the archive"),
        (replace(GOOD, name="//etc/a"), "its name leads out of the archive"),
    ],
)
def test_archive__rejects_a_member_and_keeps_the_others(tmp_path: Path, bad: Entry, reason: str) -> None:
    """One bad file is one slice, not a participant."""
    found = opened(tmp_path, archive([bad, entry("b", TEXT)]))
    assert list(found.members) == ["b"]
    assert found.read("b") == TEXT
    (why,) = found.rejected.values()
    assert why in reason.replace("\\", "").split("|")


def test_archive__takes_the_last_of_two_members_of_one_name(tmp_path: Path) -> None:
    """So does who unpacks it; the first is accounted for."""
    found = opened(tmp_path, archive([entry("a", b"first"), entry("a", b"last")]))
    assert found.read("a") == b"last"
    assert found.rejected == {"a at 0": "a later file of the archive has the same name"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "expected a zip archive, found 0 bytes that aren't one"),
        (archive([GOOD])[:-10], "bytes that aren't one"),
        (
            archive([replace(GOOD, name=f"{i}", size=LARGEST_MEMBER, packed=b"", offset=0) for i in range(65)]),
            "expected at most 1073741824 bytes in the files of an archive, found 1090519040",
        ),
        (archive([Entry(f"{i}", b"", 0, 0, 0) for i in range(20_001)]), "expected at most 20000 files .* found 20001"),
    ],
    ids=["empty", "truncated", "bomb", "too many"],
)
def test_archive__refuses_what_can_be_no_exam(tmp_path: Path, content: bytes, message: str) -> None:
    """Before anything is inflated."""
    with pytest.raises(SourceError, match=message):
        opened(tmp_path, content)


def test_read__allocates_no_more_than_an_archive_may_claim(tmp_path: Path) -> None:
    """A member that inflates to a thousand times its size, and says otherwise."""
    packer = zlib.compressobj(9, wbits=-15)
    packed = packer.compress(bytes(200 * 2**20)) + packer.flush()
    found = opened(tmp_path, archive([Entry("a", packed, 77_000, 0)]))
    tracemalloc.start()
    with pytest.raises(SourceError, match="damaged"):
        found.read("a")
    assert len(found.head("a", 4096)) == 4096
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2**20
