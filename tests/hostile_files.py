"""DICOM files that are damaged, odd or made to harm, from good ones."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence
from pydicom.uid import DeflatedExplicitVRLittleEndian, JPEGLosslessSV1, RLELossless

Mutator = Callable[[bytes, np.random.Generator], bytes]


def written(data: Dataset, *, implicit: bool = False, big: bool = False, meta: bool = True) -> bytes:
    """A data set as the bytes of a file; without meta information it has no preamble either."""
    buffer = io.BytesIO()
    if not meta:
        data.file_meta, data.preamble = FileMetaDataset(), None
        pydicom.dcmwrite(buffer, data, implicit_vr=implicit, little_endian=not big, enforce_file_format=False)
        return buffer.getvalue()
    syntax = "1.2.840.10008.1.2" if implicit else "1.2.840.10008.1.2.2" if big else "1.2.840.10008.1.2.1"
    data.file_meta.TransferSyntaxUID = pydicom.uid.UID(syntax)
    if big:
        data.PixelData = np.frombuffer(data.PixelData, "<u2").astype(">u2").tobytes()
    pydicom.dcmwrite(buffer, data, implicit_vr=implicit, little_endian=not big)
    return buffer.getvalue()


def changed(content: bytes, **tags: object) -> bytes:
    """The same file with other values; None removes one."""
    data = pydicom.dcmread(io.BytesIO(content), force=True)
    for name, value in tags.items():
        if value is not None:
            setattr(data, name, value)
        elif name in data:
            delattr(data, name)
    return written(data, meta=bool(data.file_meta))


def raw_value(content: bytes, tag: int, value: bytes) -> bytes:
    """The same explicit file with these bytes as a value, whatever the standard says of them."""
    header = struct.pack("<HH", tag >> 16, tag & 0xFFFF)
    at = content.index(header, _begin(content))
    (length,) = struct.unpack_from("<H", content, at + 6)
    return content[: at + 6] + struct.pack("<H", len(value)) + value + content[at + 8 + length :]


def _begin(content: bytes) -> int:
    """Where to look for elements: after the preamble, if there is one."""
    return 132 if content[128:132] == b"DICM" else 0


def flip_header_bits(content: bytes, rng: np.random.Generator) -> bytes:
    """One to eight bits before the pixels."""
    damaged = bytearray(content)
    for place in rng.integers(0, min(len(content), 1700), rng.integers(1, 9)):
        damaged[place] ^= 1 << int(rng.integers(8))
    return bytes(damaged)


def splice(content: bytes, rng: np.random.Generator) -> bytes:
    """Part of the header left out, doubled, or replaced by noise."""
    begin, end = sorted(int(place) for place in rng.integers(0, 1700, 2))
    middle = [b"", content[begin:end] * 2, rng.bytes(end - begin), bytes(end - begin)][int(rng.integers(4))]
    return content[:begin] + middle + content[end:]


def cut(content: bytes, rng: np.random.Generator) -> bytes:
    """The end is missing."""
    return content[: int(rng.integers(0, len(content) if rng.random() < 0.5 else 1800))]


def absurd_size(content: bytes, rng: np.random.Generator) -> bytes:
    """No rows, or more than any image has."""
    rows, columns = (int(rng.choice([0, 1, 174, 224, 4096, 65535])) for _ in range(2))
    return changed(content, Rows=rows, Columns=columns)


_NUMBERS = [b"nan", b"NaN ", b"inf", b"-inf", b"1e999", b"1e300", b"-99999999", b"0", b"", b"abc", b"1.5.2", b"0x10"]


def absurd_numbers(content: bytes, rng: np.random.Generator) -> bytes:
    """NaN, infinite, huge or no positions, spacings, echo times, numbers of series."""
    tag, count = [
        (0x00200032, 3), (0x00280030, 2), (0x00200037, 6), (0x00180081, 1), (0x00180087, 1), (0x00200011, 1),
        (0x00200012, 1), (0x00200013, 1),
    ][int(rng.integers(8))]  # fmt: skip
    values = [b"1.0"] * count
    values[int(rng.integers(count))] = _NUMBERS[int(rng.integers(len(_NUMBERS)))]
    if rng.random() < 0.2:
        values.append(b"1")
    joined = b"\\".join(values)
    return raw_value(content, tag, joined + b" " * (len(joined) % 2))


def absurd_directions(content: bytes, rng: np.random.Generator) -> bytes:
    """Not of length 1, not perpendicular, or not there."""
    cosines = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0]
    cosines[int(rng.integers(6))] = float(rng.choice([0.0, 0.5, 2.0, -1.0, 1e-3, 1e6]))
    return changed(content, ImageOrientationPatient=cosines if rng.random() < 0.9 else [0.0] * 6)


def odd_text(content: bytes, rng: np.random.Generator) -> bytes:
    """Long, foreign, many-valued, empty, or with characters that aren't any."""
    values = [
        b"", b"A" * 60_000, b"\xff\xfe\x00\x01", b"a\\b\\c ", b"\x1b$Bnothing", b"\0" * 10, b" " * 8, b"\xc3\xa4 ",
        b"\n\r\t ",
    ]  # fmt: skip
    value = values[int(rng.integers(len(values)))]
    tag = int(rng.choice([0x00080008, 0x0008103E, 0x00181030, 0x0020000D, 0x0020000E, 0x00204000, 0x00080022]))
    odd = raw_value(content, tag, value)
    return odd if rng.random() < 0.5 else changed(odd, SpecificCharacterSet=str(rng.choice(["ISO_IR 192", "nonsense"])))


def other_encoding(content: bytes, rng: np.random.Generator) -> bytes:
    """Implicit, big-endian, without preamble, or another transfer syntax than it says: mostly valid."""
    data = pydicom.dcmread(io.BytesIO(content), force=True)
    if not data.file_meta:
        return written(data, meta=False, implicit=bool(rng.integers(2)))
    kind = int(rng.integers(6))
    if kind < 3:
        return written(data, implicit=kind != 1, big=kind == 1, meta=kind != 2)
    if kind == 3:
        data.compress(RLELossless, encoding_plugin="pydicom")
        return written_as_is(data)
    if kind == 4:
        data.PixelData = encapsulate([rng.bytes(300)])
        data.file_meta.TransferSyntaxUID = JPEGLosslessSV1
        data["PixelData"].is_undefined_length = True
        return written_as_is(data)
    data.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    return written_as_is(data)


def written_as_is(data: Dataset) -> bytes:
    buffer = io.BytesIO()
    pydicom.dcmwrite(buffer, data)
    return buffer.getvalue()


def sequences(content: bytes, rng: np.random.Generator) -> bytes:
    """Sequences of undefined length, orderly and otherwise, some deep, some with very many items."""
    data = pydicom.dcmread(io.BytesIO(content), force=True)
    inner = Dataset()
    inner.Modality = "MR"
    for _ in range(int(rng.choice([0, 1, 3, 12, 60]))):
        outer = Dataset()
        outer.ReferencedImageSequence = Sequence([inner])
        outer["ReferencedImageSequence"].is_undefined_length = bool(rng.integers(2))
        inner.is_undefined_length_sequence_item = bool(rng.integers(2))
        inner = outer
    data.ReferencedImageSequence = Sequence([inner] * int(rng.integers(0, 3)))
    data["ReferencedImageSequence"].is_undefined_length = True
    whole = written(data, implicit=bool(rng.integers(2)), meta=bool(data.file_meta))
    kind = int(rng.integers(3))
    if kind == 0:
        return whole
    if kind == 1:
        at = whole.find(b"\xfe\xff")
        return whole[:at] + rng.bytes(4) + whole[at + 4 :] if at > 0 else whole
    at = whole.find(b"\xfe\xff\x00\xe0")
    return whole[:at] + b"\xfe\xff\x00\xe0\0\0\0\0" * 30_000 + whole[at:] if at > 0 else whole


def wrong_lengths(content: bytes, rng: np.random.Generator) -> bytes:
    """An element that claims to be longer or shorter than it is, the pixels among them."""
    damaged = bytearray(content)
    at = content.index(
        [b"\xe0\x7f\x10\x00", b"\x28\x00\x10\x00", b"\x20\x00\x0e\x00"][int(rng.integers(3))], _begin(content)
    )
    place = at + int(rng.choice([6, 8]))
    damaged[place : place + 4] = struct.pack("<I", int(rng.choice([0, 1, 2, 77_950, 77_954, 2**31, 2**32 - 1])))
    return bytes(damaged)


def other_pixels(content: bytes, rng: np.random.Generator) -> bytes:
    """Signed, of other depths, many frames, colours."""
    return changed(
        content,
        BitsAllocated=int(rng.choice([1, 8, 16, 32, 64])),
        PixelRepresentation=int(rng.integers(2)),
        SamplesPerPixel=int(rng.choice([0, 1, 3, 60_000])),
        NumberOfFrames=str(rng.choice(["1", "0", "2", "2000000000"])),
        PixelData=rng.bytes(int(rng.choice([0, 100, 2 * 174 * 224, 4 * 174 * 224]))),
    )


def noise(content: bytes, rng: np.random.Generator) -> bytes:
    """Nothing but a beginning that looks like DICOM."""
    begin = [b"\0" * 128 + b"DICM", b"\x08\0\x05\0CS", b"\x02\0\0\0UL", content[:200]][int(rng.integers(4))]
    return begin + rng.bytes(int(rng.integers(0, 4000)))


def swapped_elements(content: bytes, rng: np.random.Generator) -> bytes:
    """Elements out of order, or twice."""
    data = pydicom.dcmread(io.BytesIO(content), force=True)
    whole = written(data, meta=bool(data.file_meta))
    at = whole.index(b"\x28\x00\x10\x00US", _begin(whole))
    rows, columns = whole[at : at + 10], whole[at + 10 : at + 20]
    other = [columns + rows, rows + columns + rows, rows + rows, columns + rows + columns][int(rng.integers(4))]
    return whole[:at] + other + whole[at + 20 :]


MUTATORS: dict[str, Mutator] = {
    mutator.__name__: mutator
    for mutator in (
        flip_header_bits, splice, cut, absurd_size, absurd_numbers, absurd_directions, odd_text, other_encoding,
        sequences, wrong_lengths, other_pixels, noise, swapped_elements,
    )
}  # fmt: skip
"""Each makes a file from a good one."""
