from __future__ import annotations

from pathlib import Path

import pandas as pd
from typer.testing import CliRunner

from bmx.cli.app import app
from bmx.cli.tables import WIDTH
from tests.boxes import write_boxes


def test_evaluate__prints_table_2_and_writes_every_case(tmp_path: Path) -> None:
    """Ours below the paper's; masks against themselves agree."""
    import bmx.cli  # noqa: F401  # registers the commands

    _, masks = write_boxes(tmp_path, 3)
    words = ["evaluate", str(masks), str(masks), "--region", "femoral_head", "--out", str(tmp_path / "cases.csv")]
    said = CliRunner().invoke(app, words)
    assert said.exit_code == 0, said.output
    assert max(map(len, said.output.splitlines()[:-1])) <= WIDTH
    lines = [line.split() for line in said.output.splitlines()]
    assert ["ROI-Attention-U-Net", "(Morris", "2024)", "0.912", "0.945", "0.912", "0.866"] in lines
    assert ["these", "masks", "–", "1.000", "±", "0.000", "–", "–"] in lines
    assert pd.read_csv(tmp_path / "cases.csv")["dice"].tolist() == [1, 1, 1]
