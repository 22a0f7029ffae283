"""Workflow commands at the lines of a scenario, read as GitHub's runner reads a log."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

import slosim
from slosim.outputs.annotations import annotations_of, command, shielded
from test_cli import ENVIRONMENT

SCENARIO = """\
name: small
run: {duration: 10m, replications: 2}
topics: {jobs: {}}
producers:
  p: {topic: jobs, arrivals: {poisson: 2/s}}
services:
  s:
    consumes: jobs
    service_time: {exponential: 100ms}
    retry: {maximum_attempts: 2}
    failures: 20%
objectives:
  - {name: done, flow: p, target: 50%}
  - name: at once
    flow: p
    within: 1ms
    target: 99%
"""


class Command(NamedTuple):
    name: str
    properties: dict[str, str]
    message: str

    @property
    def place(self) -> tuple[str | None, int | None]:
        line = self.properties.get("line")
        return self.properties.get("file"), None if line is None else int(line)


def obeyed(log: str) -> list[Command]:
    """The commands that GitHub's runner finds: `::name key=value,…::message` at the start of a line, or the
    older `##[name]` anywhere in it; none between `::stop-commands::token` and `::token::`."""
    found: list[Command] = []
    token = None
    for line in log.replace("\r\n", "\n").replace("\r", "\n").split("\n"):
        one = parsed(line)
        if one is None or (token is not None and one.name != token):
            continue
        if one.name == token:
            token = None
        elif one.name == "stop-commands":
            token = one.message
        else:
            found.append(one)
    assert token is None, "commands stay stopped"
    return found


def parsed(line: str) -> Command | None:
    text = line.strip()
    if text.startswith("::") and "::" in text[2:]:
        head, _, message = text[2:].partition("::")
        name, _, given = head.partition(" ")
        pairs = (pair.split("=", 1) for pair in given.strip().split(",") if "=" in pair)
        return Command(name, {key: unescaped(value) for key, value in pairs}, unescaped(message))
    if "##[" in text:
        name, _, message = text.partition("##[")[2].partition("]")
        return Command(name, {}, message)
    return None


def unescaped(text: str) -> str:
    for letter, code in (("\r", "%0D"), ("\n", "%0A"), (":", "%3A"), (",", "%2C"), ("%", "%25")):
        text = text.replace(code, letter)
    return text


def slosim_in(folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {**ENVIRONMENT, **variables}
    if "GITHUB_WORKSPACE" not in variables:
        environment.pop("GITHUB_WORKSPACE", None)
    return subprocess.run(
        [sys.executable, "-m", "slosim", *arguments],
        cwd=folder,
        env=environment,
        text=True,
        capture_output=True,
        timeout=300,
        check=False,
    )


def line_with(text: str, part: str) -> int:
    return next(number for number, line in enumerate(text.split("\n"), 1) if part in line)


# ---- mistakes ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("asked", ["validate", "check", "run"])
def test_every_mistake_is_an_error_at_its_line(tmp_path: Path, asked: str):
    broken = SCENARIO.replace("jobs, arr", "jbs, arr").replace("failures: 20%", "failures: 120%")
    (tmp_path / "x.yaml").write_text(broken)
    ran = slosim_in(tmp_path, asked, "x.yaml", "--annotations", "github")
    assert (ran.returncode, ran.stderr) == (2, "")
    commands = obeyed(ran.stdout)
    assert [one.name for one in commands] == ["error", "error"]
    assert [one.place for one in commands] == [
        ("x.yaml", line_with(broken, "jbs")),
        ("x.yaml", line_with(broken, "120%")),
    ]
    assert commands[0].properties["title"] == "producers.p.topic"
    assert "did you mean 'jobs'?" in commands[0].message
    assert slosim_in(tmp_path, asked, "x.yaml").stderr.count("x.yaml:") == 2  # without it, as before


def test_mistakes_of_the_command_line_have_no_line(tmp_path: Path):
    (tmp_path / "x.yaml").write_text(SCENARIO)
    ran = slosim_in(
        tmp_path, "validate", "x.yaml", "--set", "services.t.instances=2", "--annotations", "github"
    )
    (one,) = obeyed(ran.stdout)
    assert (ran.returncode, one.place) == (2, (None, None))
    assert one.message.startswith("--set: service 't' is not declared")


def test_a_missing_file_and_a_file_of_targets(tmp_path: Path):
    ran = slosim_in(tmp_path, "check", "gone.yaml", "--annotations", "github")
    (one,) = obeyed(ran.stdout)
    assert (ran.returncode, one.place, one.message) == (2, (None, None), "gone.yaml: no such file")
    (tmp_path / "x.yaml").write_text(SCENARIO)
    (tmp_path / "o.yaml").write_text("\n\napiVersion: openslo/v2\n")
    ran = slosim_in(tmp_path, "check", "x.yaml", "--targets", "o.yaml", "--annotations", "github")
    (one,) = obeyed(ran.stdout)
    assert (ran.returncode, one.place) == (2, ("o.yaml", 3))


def test_valid_files_have_none(tmp_path: Path):
    (tmp_path / "x.yaml").write_text(SCENARIO)
    ran = slosim_in(tmp_path, "validate", "x.yaml", "--annotations", "github")
    assert (ran.returncode, obeyed(ran.stdout)) == (0, [])
    assert "x.yaml: valid" in ran.stdout


# ---- verdicts ----------------------------------------------------------------------------------------------


def test_objectives_and_findings_stand_at_their_lines(tmp_path: Path):
    (tmp_path / "x.yaml").write_text(SCENARIO)
    ran = slosim_in(tmp_path, "check", "x.yaml", "--annotations", "github")
    assert (ran.returncode, ran.stderr.strip()) == (99, "")
    commands = obeyed(ran.stdout)
    assert commands[0].name == "error"
    assert commands[0].place == ("x.yaml", line_with(SCENARIO, "at once"))
    assert commands[0].properties["title"] == "objective missed"
    assert commands[0].message.startswith(
        "at once is missed: p completed within 1ms, promised 99%, measured "
    )
    rest = {one.properties["title"]: one for one in commands[1:]}
    assert {one.name for one in rest.values()} == {"warning"}
    assert rest["retry amplification"].place == ("x.yaml", line_with(SCENARIO, "  s:"))
    assert rest["dead lettered"].place == ("x.yaml", None)  # of a flow that no line declares
    assert "MISSED" in ran.stdout  # the report is there, too, shielded
    quiet = slosim_in(tmp_path, "check", "x.yaml", "-q", "--annotations", "github")
    assert all(line.startswith(("::error ", "::warning ")) for line in quiet.stdout.splitlines())
    assert obeyed(quiet.stdout) == commands


def test_undecided_objectives_are_warnings():
    scenario = slosim.loads(SCENARIO)
    measured = slosim.run(scenario).objectives["at once"].sli_ratio.value
    report = slosim.run(scenario.replace({"objectives[at once].target": measured}))
    assert scenario.source is not None
    commands = obeyed("\n".join(annotations_of(report.data, "x.yaml", scenario.source.lines)))
    assert (commands[0].name, commands[0].properties["title"]) == ("warning", "objective undecided")
    assert commands[0].place == ("x.yaml", line_with(SCENARIO, "at once"))


def test_what_was_set_on_the_command_line_stands_at_the_part_around_it(tmp_path: Path):
    (tmp_path / "x.yaml").write_text(SCENARIO)
    change = ("--set", "objectives[done].within=1ms")
    ran = slosim_in(tmp_path, "check", "x.yaml", "-q", *change, "--annotations", "github")
    places = {one.place[1] for one in obeyed(ran.stdout) if one.name == "error"}
    assert places == {line_with(SCENARIO, "name: done"), line_with(SCENARIO, "at once")}


def test_a_met_report_of_a_healthy_system_has_none(tmp_path: Path):
    healthy = SCENARIO.replace("    failures: 20%\n", "").replace("within: 1ms", "within: 1h")
    (tmp_path / "x.yaml").write_text(healthy)
    ran = slosim_in(tmp_path, "check", "x.yaml", "-q", "--annotations", "github")
    assert (ran.returncode, ran.stdout) == (0, "")


def test_annotations_and_json_do_not_share_stdout(tmp_path: Path):
    (tmp_path / "x.yaml").write_text(SCENARIO)
    ran = slosim_in(tmp_path, "run", "x.yaml", "--json", "-", "--annotations", "github")
    assert (ran.returncode, ran.stdout) == (2, "")
    assert "give a file instead of -" in ran.stderr


# ---- paths -------------------------------------------------------------------------------------------------


def test_paths_are_those_of_the_repository(tmp_path: Path):
    """Whatever folder the command runs in, and however the file was given."""
    folder = tmp_path / "a folder"
    folder.mkdir()
    path = folder / "x.yaml"
    path.write_text(SCENARIO.replace("jobs, arr", "jbs, arr"))
    for cwd, given_as in ((tmp_path, "a folder/x.yaml"), (folder, "x.yaml"), (folder, str(path))):
        ran = slosim_in(cwd, "validate", given_as, "--annotations", "github", GITHUB_WORKSPACE=str(tmp_path))
        assert obeyed(ran.stdout)[0].place == ("a folder/x.yaml", 5)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    ran = slosim_in(elsewhere, "validate", str(path), "--annotations", "github")
    assert obeyed(ran.stdout)[0].place == (str(path), 5)


# ---- hostile names -----------------------------------------------------------------------------------------

HOSTILE = ["::error file=a,line=1::b", "##[add-mask]a", "50%0A::warning::1:2, a=b", "::stop-commands::a]"]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_is_text_and_never_a_command(tmp_path: Path, name: str):
    hostile = SCENARIO.replace("name: at once", f'name: "{name}"').replace("name: small", f'name: "{name}"')
    (tmp_path / "x.yaml").write_text(hostile)
    ran = slosim_in(tmp_path, "check", "x.yaml", "--annotations", "github")
    assert ran.returncode == 99, ran.stderr
    commands = obeyed(ran.stdout)
    assert {one.name for one in commands} <= {"error", "warning"}
    errors = [one for one in commands if one.name == "error"]
    assert len(errors) == 1
    assert errors[0].place == ("x.yaml", line_with(hostile, "- name:"))
    assert errors[0].message.startswith(f"{name} is missed: ")


@pytest.mark.parametrize(
    "name", ["::error::x.yaml", "a,line=7::b.yaml", "new\nline.yaml", "a%3Ab.yaml", "##[x].yaml"]
)
def test_a_file_name_is_text_and_never_a_command(tmp_path: Path, name: str):
    (tmp_path / name).write_text(SCENARIO.replace("jobs, arr", "jbs, arr"))
    (tmp_path / ("ok" + name)).write_text(SCENARIO)
    ran = slosim_in(tmp_path, "validate", name, "ok" + name, "--annotations", "github")
    (one,) = obeyed(ran.stdout + ran.stderr)
    assert (ran.returncode, one.name, one.place) == (2, "error", (name, 5))
    assert "valid (1 topic" in ran.stdout


@given(message=st.text(), title=st.text(), file=st.text(st.characters(exclude_characters="/."), min_size=1))
def test_a_command_is_one_line_that_says_what_it_was_given(message: str, title: str, file: str):
    """Except for what UTF-8 cannot write; a reader strips the ends of a line."""
    path = "/elsewhere/" + file  # is no path of the repository and kept as it is
    (one,) = obeyed(command("error", f"<{message}>", f"<{title}>", path, 3))
    written = [text.encode("utf-8", "replace").decode() for text in (f"<{message}>", f"<{title}>", path)]
    assert [one.message, one.properties["title"], one.properties["file"]] == written
    assert one.place[1] == 3


@given(text=st.text())
def test_nothing_in_a_shielded_text_is_obeyed(text: str):
    for hostile in (text, f"::error::{text}", f"::stop-commands::{text}", shielded(text)):
        assert obeyed(shielded(hostile) + "\n::notice::seen") == [Command("notice", {}, "seen")]
