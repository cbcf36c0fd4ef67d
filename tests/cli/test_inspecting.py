from __future__ import annotations

from pathlib import Path

from typer.testing import CliRunner

from bmx.cli.app import app
from bmx.phenotypes.fields import load_fields


def fields(*words: object) -> list[str]:
    said = CliRunner().invoke(app, ["fields", *map(str, words)])
    assert said.exit_code == 0, said.output
    return said.stdout.splitlines()


def test_fields__lists_what_to_request() -> None:
    lines = fields()
    numbers = [int(line.split()[0]) for line in lines if line.split() and line.split()[0].isdigit()]
    assert numbers == [field.id for field in load_fields().values()]
    assert any("vat_mass" in line and " kg " in line for line in lines)


def test_fields__gives_columns_to_extract(tmp_path: Path) -> None:
    """As the platform's table exporter takes them; handedness was asked at the first visit alone."""
    own = tmp_path / "own.toml"
    own.write_text('[grip]\nid = 47\ntitle = "Hand grip strength (right)"\n')
    lines = fields("--columns", "--instance", 3, "--own", own)
    assert lines[0] == "eid"
    assert {"p31", "p21003_i3", "p41270", "p1707_i0", "p47_i3"} <= set(lines)
