"""Every example runs and gives the report that lies beside it; `make goldens` writes those reports anew."""

from __future__ import annotations

from pathlib import Path

import pytest

import slosim

EXAMPLES = sorted((Path(__file__).parent.parent / "examples").glob("*.yaml"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example_gives_its_report(path: Path, update_goldens: bool):
    report = slosim.run(slosim.load(path)).to_text(source=path.name).removesuffix("\n") + "\n"
    golden = path.with_suffix(".out")
    if update_goldens:
        golden.write_text(report, encoding="utf-8")
    assert report == golden.read_text(encoding="utf-8")


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example_opens_with_the_schema_and_a_question(path: Path):
    first, second, *rest = path.read_text(encoding="utf-8").splitlines()
    assert first == "# yaml-language-server: $schema=../docs/scenario.schema.json"
    assert second == "#"
    comment = rest[: rest.index("")]
    assert all(line.startswith("#") for line in comment)
    assert any("?" in line for line in comment[:3])
