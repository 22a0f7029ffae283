"""What the readme shows works as it stands."""

from __future__ import annotations

import re
import shlex
from dataclasses import fields
from pathlib import Path

import pytest
from typer.testing import CliRunner

import slosim
from slosim.cli.app import app
from slosim.cli.outputs import Outputs

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def block(language: str) -> str:
    (text,) = re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)
    return text


def test_the_scenario_of_the_readme_runs():
    assert slosim.run(slosim.loads(block("yaml"))).complete


def test_the_program_of_the_readme_runs(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.chdir(ROOT)
    exec(compile(block("python"), "README.md", "exec"), {})
    printed = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [line[0] for line in printed] == ["1", "4", "8", "12"]
    shares = [float(line[2]) for line in printed]
    assert shares == sorted(shares), "more patience, fewer lost orders"


@pytest.mark.parametrize("number", [0, 1])
def test_the_answers_of_the_readme_are_what_its_commands_print(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Of the scenario of `slosim init`."""
    monkeypatch.chdir(tmp_path)
    (words,) = re.findall(rf"^slosim ({('size', 'break')[number]} .*?)(?: #|    |$)", README, re.MULTILINE)
    assert CliRunner().invoke(app, ["init", "my.yaml"]).exit_code == 0
    printed = CliRunner().invoke(app, shlex.split(words))
    assert re.findall(r"```text\n(.*?)```", README, re.DOTALL)[number] in printed.stdout


def test_the_outputs_of_the_readme_are_made_as_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Of the scenario of `slosim init`, which misses what it promises, so that `check` exits with 99."""
    monkeypatch.chdir(tmp_path)
    assert CliRunner().invoke(app, ["init", "my.yaml"]).exit_code == 0
    (lines,) = re.findall(r"```\n([^`]*runs\.html[^`]*)```", README)
    for line in lines.splitlines():
        _, *words = shlex.split(line, comments=True)
        assert CliRunner().invoke(app, words).exit_code == (99 if words[0] == "check" else 0), line
    pages = [(tmp_path / name).read_text(encoding="utf-8") for name in ("report.html", "runs.html")]
    assert all(page.startswith("<!doctype html>") for page in pages)


def test_the_outputs_of_the_readme_are_all_there_are():
    table = README[README.index("| option |") : README.index("What is saved")]
    told = {
        option for row in re.findall(r"^\| (`--.*?) \|", table, re.M) for option in re.findall(r"--\w+", row)
    }
    assert told == {f"--{field.name}" for field in fields(Outputs)} - {"--quiet"} | {
        "--annotations",
        "--targets",
    }


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", README))))
def test_what_the_readme_links_to_exists(target: str):
    assert (ROOT / target).exists()
