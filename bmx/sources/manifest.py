"""The manifest of an archive: a table of its files that may be missing, misspelt, doubled or wrong."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

MANIFESTS = ("manifest.csv", "manifest.cvs")
"""What it may be called."""


def check_manifests(manifests: Sequence[bytes], present: Iterable[str]) -> list[str]:
    r"""Compare what manifests list with the images that are there. Never needed, but worth knowing.

    Parameters
    ----------
    manifests : contents of all of them
    present : names of all images, without folders

    Returns
    -------
    Names among `bmx.variables.SLAB_FLAGS`.

    Examples
    --------
    >>> check_manifests([b"filename,date\na.dcm,Aug 30, 2015\n"], ["a.dcm"])
    []
    >>> check_manifests([b"filename,date\na.dcm,Aug 30, 2015\n"], ["a.dcm", "b.dcm"]), check_manifests([], ["a.dcm"])
    (['manifest_mismatch'], ['manifest_missing'])
    """
    if not manifests:
        return ["manifest_missing"]
    listed: set[str] = set()
    for content in manifests:
        # Dates hold unquoted commas, so the columns after them shift; the first one is safe.
        rows = content.decode(errors="replace").splitlines()[1:]
        listed |= {row.split(",", 1)[0].strip().strip('"') for row in rows if row.strip()}
    return [] if listed == set(present) else ["manifest_mismatch"]
