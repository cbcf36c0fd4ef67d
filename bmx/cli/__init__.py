"""The command line: each command is a thin layer over the function of the same name."""

from bmx.cli import simulating, ingesting, inspecting, keeping, training, evaluating, measuring, demonstrating  # noqa: I001, F401 - the order in which help lists the commands
from bmx.cli.app import main

__all__ = ["main"]
