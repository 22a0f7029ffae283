"""The GitHub action: what action.yml says, and its real steps in an environment as GitHub makes it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from ruamel.yaml import YAML

from test_annotations import Command, obeyed
from test_cli import BROKEN, ENVIRONMENT, KEPT, SMALL

ROOT = Path(__file__).parent.parent
ACTION: dict[str, Any] = YAML(typ="safe", pure=True).load((ROOT / "action.yml").read_text(encoding="utf-8"))
STEPS: list[dict[str, Any]] = ACTION["runs"]["steps"]
MISTAKEN = KEPT.replace("topic: jobs", "topic: jbs")


class Job(NamedTuple):
    """What GitHub sees of the step that checks."""

    code: int
    log: str
    commands: list[Command]
    outputs: dict[str, str]
    summary: str

    def reports(self) -> dict[str, set[str]]:
        """Names of the files in each folder of reports."""
        folders = sorted(Path(self.outputs["reports"]).iterdir())
        return {folder.name: {file.name for file in folder.iterdir()} for folder in folders}


def job(tmp_path: Path, files: dict[str, str], **inputs: str) -> Job:
    """Run the step `check` of action.yml in a workspace with these files."""
    workspace = tmp_path / "work space"
    workspace.mkdir(exist_ok=True)
    for name, text in files.items():
        (workspace / name).parent.mkdir(parents=True, exist_ok=True)
        (workspace / name).write_text(text, encoding="utf-8")
    step = next(step for step in STEPS if step.get("id") == "check")
    script, told = tmp_path / "step.sh", {name: tmp_path / f"{name} file" for name in ("output", "summary")}
    script.write_text(step["run"], encoding="utf-8")
    for path in told.values():
        path.write_text("", encoding="utf-8")
    (tmp_path / "runner temp").mkdir(exist_ok=True)
    environment = {
        **ENVIRONMENT,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "GITHUB_WORKSPACE": str(workspace),
        "GITHUB_OUTPUT": str(told["output"]),
        "GITHUB_STEP_SUMMARY": str(told["summary"]),
        "RUNNER_TEMP": str(tmp_path / "runner temp"),
        **{name: evaluated(value, inputs) for name, value in step["env"].items()},
    }
    ran = subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", script],
        cwd=workspace,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=300,
        check=False,
    )
    outputs = dict(line.split("=", 1) for line in told["output"].read_text().splitlines())
    return Job(ran.returncode, ran.stdout, obeyed(ran.stdout), outputs, told["summary"].read_text())


def evaluated(expression: str, inputs: dict[str, str]) -> str:
    """The value of `${{ inputs.name }}` or `${{ github.action_path }}`."""
    match = re.fullmatch(r"\$\{\{ (inputs|github)\.([\w-]+) \}\}", expression)
    assert match is not None, expression
    if match[1] == "github":
        assert match[2] == "action_path"
        return str(ROOT)
    return inputs.get(match[2].replace("-", "_"), ACTION["inputs"][match[2]].get("default", ""))


# ---- what action.yml says ----------------------------------------------------------------------------------


def test_it_is_a_composite_action_with_pinned_steps():
    assert ACTION["runs"]["using"] == "composite"
    used = {step["uses"] for step in STEPS if "uses" in step}
    assert {name.split("@")[0] for name in used} == {"actions/setup-python", "actions/upload-artifact"}
    assert all(re.fullmatch(r"[\w-]+/[\w-]+@v\d+", name) for name in used)
    assert all(step["shell"] == "bash" for step in STEPS if "run" in step)
    for declared in (*ACTION["inputs"].values(), *ACTION["outputs"].values()):
        assert declared["description"]
    assert [name for name, declared in ACTION["inputs"].items() if "default" not in declared] == ["scenario"]


def test_inputs_reach_the_shell_as_variables_and_never_as_code():
    for step in STEPS:
        assert "${{" not in step.get("run", "")
        for value in step.get("env", {}).values():
            assert re.fullmatch(r"\$\{\{ [\w.-]+ \}\}", value), value


def test_every_input_is_used_and_every_output_made():
    text = (ROOT / "action.yml").read_text(encoding="utf-8")
    assert set(re.findall(r"inputs\.([\w-]+)", text)) == set(ACTION["inputs"])
    assert {one["value"] for one in ACTION["outputs"].values()} == {
        "${{ steps.check.outputs.verdict }}",
        "${{ steps.check.outputs.reports }}",
    }


def test_reports_are_kept_when_the_check_fails():
    kept = next(step for step in STEPS if step.get("uses", "").startswith("actions/upload-artifact"))
    assert "!cancelled()" in kept["if"]  # a condition without a status function means success()
    assert kept["with"]["path"] == "${{ steps.check.outputs.reports }}"


def test_it_installs_what_is_pinned_and_the_package_itself():
    lines = [line for step in STEPS for line in step.get("run", "").splitlines() if "pip" in line]
    assert any('--requirement "$SLOSIM_SOURCE/requirements.txt"' in line for line in lines)
    assert any('--no-deps --no-build-isolation "$SLOSIM_SOURCE"' in line for line in lines)
    assert (ROOT / "requirements.txt").is_file()


# ---- what it does ------------------------------------------------------------------------------------------

REPORTS = {"report.json", "report.md", "report.html", "junit.xml"}


def test_a_scenario_that_meets_all(tmp_path: Path):
    done = job(tmp_path, {"shop.yaml": KEPT}, scenario="shop.yaml")
    assert (done.code, done.commands) == (0, []), done.log
    assert done.outputs["verdict"] == "met"
    assert done.reports() == {"shop": REPORTS}
    assert done.summary == (Path(done.outputs["reports"]) / "shop" / "report.md").read_text() + "\n"
    assert "All" in done.log or "MET" in done.log


def test_the_worst_of_several_decides(tmp_path: Path):
    files = {"a/kept.yaml": KEPT, "a/broken.yaml": BROKEN, "nothing.yaml": SMALL}
    done = job(tmp_path, files, scenario="a/*.yaml\n\nnothing.yaml\na/kept.yaml\n")
    assert done.code == 99, done.log
    assert done.outputs["verdict"] == "missed"
    assert done.reports() == {"broken": REPORTS, "kept": REPORTS, "nothing": REPORTS}
    (missed,) = [one for one in done.commands if one.name == "error"]
    assert missed.place == ("a/broken.yaml", 7)
    assert missed.message.startswith("at once is missed")
    assert done.summary.index("at once") < len(done.summary)


def test_a_verdict_may_pass_where_mistakes_may_not(tmp_path: Path):
    done = job(tmp_path, {"x.yaml": BROKEN}, scenario="x.yaml", fail="false")
    assert (done.code, done.outputs["verdict"]) == (0, "missed")
    done = job(tmp_path, {"x.yaml": MISTAKEN}, scenario="x.yaml", fail="false")
    assert (done.code, done.outputs["verdict"]) == (2, "broken")


def test_a_mistake_is_annotated_and_told_in_the_summary(tmp_path: Path):
    done = job(tmp_path, {"x.yaml": MISTAKEN, "y.yaml": KEPT}, scenario="x.yaml\ny.yaml")
    assert (done.code, done.outputs["verdict"]) == (2, "broken")
    (mistake,) = done.commands
    assert (mistake.name, mistake.place) == ("error", ("x.yaml", 5))
    assert done.summary.startswith("❌ **x.yaml** cannot be simulated")
    assert done.reports() == {"x": set(), "y": REPORTS}


def test_options_are_words_and_not_code(tmp_path: Path):
    options = "--replications 3 --set 'name=a b; touch owned' $(touch owned) `touch owned`"
    done = job(tmp_path, {"x.yaml": KEPT}, scenario="x.yaml", args=options)
    assert done.code == 2
    assert not list(tmp_path.rglob("owned"))
    assert [one.name for one in done.commands] == ["error"]
    done = job(tmp_path, {"x.yaml": KEPT}, scenario="x.yaml", args="--replications 3 --set 'name=a b'")
    assert done.code == 0, done.log
    report = json.loads((Path(done.outputs["reports"]) / "x" / "report.json").read_text())
    assert (report["run"]["replications"], report["scenario"]["name"]) == (3, "a b")


@pytest.mark.parametrize(
    "name", ["$(touch owned).yaml", "::error::x.yaml", "-q.yaml", "new\nline.yaml", "**a**[b](c).yaml"]
)
def test_file_names_are_neither_code_nor_options_nor_commands(tmp_path: Path, name: str):
    done = job(tmp_path, {name: MISTAKEN}, scenario="*.yaml")
    assert done.code == 2, done.log
    assert not list(tmp_path.rglob("owned"))
    (mistake,) = done.commands
    assert (mistake.name, mistake.place) == ("error", (name, 5))
    assert not set(re.sub(r"&#\d+;", "", done.summary.split("**")[1])) & set("*[]()`\n<>")
    assert all(re.fullmatch(r"[\w.-]+", folder) for folder in done.reports())


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ({"scenario": "gone.yaml"}, "scenario: no file is called, or looks like, gone.yaml"),
        ({"scenario": " \n"}, "scenario: expected files, one per line, got none"),
        ({"scenario": "x.yaml", "args": "'"}, "args: No closing quotation in '"),
        ({"scenario": "x.yaml", "fail": "maybe"}, "fail: expected true or false, got maybe"),
        (
            {"scenario": "*.yaml", "baseline": "x.yaml"},
            "baseline: 2 scenarios need a folder of reports, got the one report x.yaml",
        ),
    ],
    ids=str,
)
def test_inputs_that_cannot_be_used(tmp_path: Path, inputs: dict[str, str], said: str):
    done = job(tmp_path, {"x.yaml": KEPT, "y.yaml": KEPT}, **inputs)
    assert done.code == 2
    assert [(one.name, one.message) for one in done.commands] == [("error", said)]


def test_without_a_report_no_check_passes(tmp_path: Path):
    done = job(tmp_path, {"x.yaml": KEPT}, scenario="x.yaml", args="--help")
    assert (done.code, done.outputs["verdict"]) == (2, "broken")
    assert [one.name for one in done.commands] == ["error"]
    assert "nothing was simulated" in done.commands[0].message


def test_reports_of_an_earlier_run_are_what_to_compare_with(tmp_path: Path):
    """A report, or the folder of an artifact; what does not exist yet is told and left out."""
    first = job(tmp_path, {"x.yaml": KEPT}, scenario="x.yaml", baseline="none yet")
    assert first.code == 0, first.log
    assert [(one.name, one.message) for one in first.commands] == [
        ("warning", "there is no none yet, so nothing is compared")
    ]
    slower = KEPT.replace("exponential: 100ms", "exponential: 300ms")
    for baseline in (first.outputs["reports"], first.outputs["reports"] + "/x/report.json"):
        then = job(tmp_path, {"x.yaml": slower}, scenario="x.yaml", baseline=baseline)
        assert then.code == 0, then.log
        assert then.summary != job(tmp_path, {"x.yaml": slower}, scenario="x.yaml").summary


# ---- what docs/ci.md shows ---------------------------------------------------------------------------------

CI = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8")


def test_the_examples_are_yaml_and_use_the_action_as_it_is():
    texts = re.findall(r"```yaml\n(.*?)```", CI, re.DOTALL)
    github, gitlab, pre_commit = (YAML(typ="safe", pure=True).load(text) for text in texts)
    (step,) = (one for one in github["jobs"]["promises"]["steps"] if "/slosim@" in one.get("uses", ""))
    assert set(step["with"]) <= set(ACTION["inputs"])
    assert "scenario" in step["with"]
    assert gitlab["promises"]["artifacts"]["reports"]["junit"] in " ".join(gitlab["promises"]["script"])
    assert pre_commit["repos"][0]["hooks"][0]["entry"] == "slosim validate"


def test_the_tables_tell_inputs_as_they_are():
    told = dict(
        re.findall(r"^\| `([\w-]+)` \| (.*?) \|", CI.split("| input |")[1].split("\n\n")[0], re.MULTILINE)
    )
    shown = {"none": "", "**required**": None}
    assert {name: shown.get(text, text) for name, text in told.items()} == {
        name: declared.get("default") for name, declared in ACTION["inputs"].items()
    }


def test_commands_and_options_exist():
    from typer.main import get_command

    from slosim.cli.app import app

    commands: dict[str, Any] = get_command(app).commands  # type: ignore[attr-defined]
    known = {option for one in commands.values() for parameter in one.params for option in parameter.opts}
    assert set(re.findall(r"slosim (\w+) [\w./-]+\.yaml", CI)) <= set(commands)
    assert (
        set(re.findall(r"(?<![\w-])(--[a-z]+)", re.sub(r"^ +(last=|gh ).*$", "", CI, flags=re.MULTILINE)))
        <= known
    )
