"""What a conversion is expected to take, and the table that says so."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rate:
    """What one participant takes."""

    seconds: float
    """On one worker."""
    stored: float
    """Bytes on disk after compression."""
    basis: str
    """Where both come from."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """What `bmx.convert` would do; `str` gives a readable table."""

    store: str
    participants: int
    """In the store, when all is done."""
    left: int
    """Participants of the partitions that are to be done."""
    partitions: int
    done: int
    """Partitions that were done by earlier calls."""
    partition_size: int
    """Participants per partition and shard."""
    workers: int
    """Tasks that run at once."""
    memory_per_task: int
    """Bytes that no task exceeds."""
    archive_bytes: int
    """Bytes of all archives, from the mean of some; 0 if none is there."""
    raw_bytes: int
    """Bytes of all images before compression."""
    shards: int
    """Files or objects that hold images."""
    rate: Rate
    advice: str = ""
    """What to do about a store that was begun too small; empty if it wasn't."""

    @property
    def stored_bytes(self) -> int:
        """Bytes of all images in the store."""
        return round(self.participants * self.rate.stored)

    @property
    def seconds(self) -> float:
        """Time for what is left to do."""
        # A partition is done by one worker: the last ones are waited for.
        rounds = -(-(self.partitions - self.done) // self.workers)
        return self.rate.seconds * min(self.left, rounds * self.partition_size)

    def __str__(self) -> str:
        from dask.utils import format_time

        ratio = f" ({self.raw_bytes / self.stored_bytes:.1f} times smaller)" if self.stored_bytes else ""
        each = f"{self.rate.seconds:.2f} s a participant"
        time = f"{format_time(self.seconds)} with {self.workers} workers, {each}, {self.rate.basis}"
        lines = {
            "participants": f"{self.participants:,}, {self.left:,} to do",
            "partitions": f"{self.partitions:,} of {self.partition_size} participants, {self.done:,} done",
            "memory": f"{in_units(self.memory_per_task)} per task at most, "
            f"{in_units(self.workers * self.memory_per_task)} for {self.workers} workers",
            "archives": f"{in_units(self.archive_bytes)} to read in all",
            "raw images": in_units(self.raw_bytes),
            "store": f"{in_units(self.stored_bytes)}{ratio} in at most {self.shards:,} shards",
            "time": time if self.left else "nothing is left to do",
        }
        if self.advice:
            lines["advice"] = self.advice
        return "\n".join([self.store, *(f"  {name:<14}{text}" for name, text in lines.items())])


def in_units(size: float) -> str:
    """Bytes as people read them, in powers of 1000.

    Examples
    --------
    >>> in_units(999), in_units(650_000_000), in_units(5.04e12)
    ('999 B', '650 MB', '5.0 TB')
    """
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit in ("B", "kB", "MB") else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"
