from __future__ import annotations

import re
import warnings

import pytest

from bmx._console import progress_line


def test_progress_line__writes_one_line_over_in_a_notebook(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where rich would ask for ipywidgets, and show nothing without them. Each state covers the one before."""
    monkeypatch.setattr("rich.console._is_jupyter", lambda: True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with progress_line() as bar:
            task = bar.add_task("run", total=2)
            for _ in range(2):
                bar.advance(task)
                bar.refresh()
    shown = capsys.readouterr().err
    assert shown.count("\r") >= 2
    assert "50%" in shown
    assert shown.count("\n") == 1
    lengths = {len(state) for state in re.findall(r"\x1b\[2K([^\r\n]*)", shown)}
    assert len(lengths) == 1


def test_progress_line__leaves_no_traces_in_a_log(capsys: pytest.CaptureFixture[str]) -> None:
    """A file gets the last state and nothing else."""
    with progress_line() as bar:
        bar.advance(bar.add_task("run", total=1))
    shown = capsys.readouterr().err
    assert "100%" in shown
    assert "\x1b" not in shown
    assert shown.count("\n") == 1
