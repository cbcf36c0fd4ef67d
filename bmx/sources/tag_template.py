"""Headers of a whole exam: a thousand files that differ in a few values, read by what differs.

Slices of one series have the same header but for the name, number and place of the image. A header that was read
element by element becomes a template: where another file has the very same bytes everywhere else, its elements are
the same, and only what differs must be read.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, fields
from typing import Any

from bmx.sources.header import Header
from bmx.sources.tag_reader import INSTANCE_NUMBER, POSITION, GaveUp, Scan, scan
from bmx.sources.tag_values import Unusual, numbers, whole_number

_MOST_TEMPLATES = 256
"""Of one exam. An ordinary one needs about a hundred: 24 series, and numbers with more or fewer digits."""


@dataclass(frozen=True, slots=True)
class _Template:
    fixed: tuple[tuple[int, int, bytes], ...]
    """Begin, end and content of all that must be the same."""
    values: dict[str, Any]
    """Fields of the header."""
    position: tuple[int, int]
    instance: tuple[int, int] | None
    first: Scan

    def read(self, content: bytes, where: str) -> Scan | GaveUp | None:
        """The header of a file like the first one; None if it isn't like it."""
        for begin, end, expected in self.fixed:
            if content[begin:end] != expected:
                return None
        try:
            x, y, z = numbers(content[slice(*self.position)], 3)
            number = self.first.header.instance_number
            if self.instance is not None:
                number = whole_number(content[slice(*self.instance)])
        except Unusual:
            return GaveUp.UNUSUAL
        header = Header(**(self.values | {"where": where, "instance_number": number, "position": (x, y, z)}))
        first = self.first
        return Scan(header, first.pixel_start, first.pixel_bytes, first.is_plain, first.varying)


class HeaderReader:
    """Reads the headers of one exam, in any order, as `bmx.sources.tag_reader.scan` does."""

    def __init__(self) -> None:
        self._templates: dict[tuple[int, int], dict[bytes, list[_Template]]] = defaultdict(dict)
        """By the place of a value that tells series apart, and by that value."""
        self._count = 0

    def scan(self, content: bytes, where: str) -> Scan | GaveUp:
        """Read the header of one file; give exactly what `scan` gives."""
        for (begin, end), templates in self._templates.items():
            for template in templates.get(content[begin:end], ()):
                found = template.read(content, where)
                if found is not None:
                    return found
        found = scan(content, where)
        if isinstance(found, Scan) and self._count < _MOST_TEMPLATES:
            self._remember(content, found)
        return found

    def _remember(self, content: bytes, found: Scan) -> None:
        key = content.find(found.header.series_uid.encode())
        place = (key, key + len(found.header.series_uid))
        self._templates[place].setdefault(content[slice(*place)], []).append(_template(content, found))
        self._count += 1


def _template(content: bytes, found: Scan) -> _Template:
    places = {tag: (begin, end) for tag, begin, end in found.varying}
    fixed, position = [], 0
    for _, begin, end in found.varying:
        fixed.append((position, begin, content[position:begin]))
        position = end
    fixed.append((position, found.pixel_start, content[position : found.pixel_start]))
    values = {field.name: getattr(found.header, field.name) for field in fields(Header)}
    return _Template(tuple(fixed), values, places[POSITION], places.get(INSTANCE_NUMBER), found)
