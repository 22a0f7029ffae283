"""The command line as its users meet it: a process with arguments, output, files, signals, an exit code."""

from __future__ import annotations

import csv
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import jsonschema
import pytest
from ruamel.yaml import YAML

from slosim.cli.app import COMMANDS
from slosim.cli.drawing import draw
from slosim.cli.explain import offered_load
from slosim.files import yaml_text
from slosim.model import load, loads
from slosim.version import __version__

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "examples"
VALID = ROOT / "tests" / "scenarios" / "valid"
SMALL = """
name: small
run: {duration: 10m, replications: 2}
topics: {jobs: {}}
producers: {p: {topic: jobs, arrivals: {poisson: 2/s}}}
services: {s: {consumes: jobs, service_time: {exponential: 100ms}}}
"""
KEPT = SMALL + "objectives: [{name: done, flow: p, target: 90%}]\n"
BROKEN = SMALL + "objectives: [{name: at once, flow: p, within: 1ms, target: 99%}]\n"
LONG = SMALL.replace("duration: 10m, replications: 2", "duration: 3000d, sample_every: 1d")
GROWING = SMALL.replace("poisson: 2/s", "poisson: 20000/s").replace("10m", "10d")
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "COLUMNS": "100"}


def slosim(*arguments: str | Path, cwd: Path | None = None, **options) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "slosim", *map(str, arguments)]
    environment = {**ENVIRONMENT, **options.pop("env", {})}
    return subprocess.run(
        command, cwd=cwd, env=environment, text=True, capture_output=True, timeout=300, check=False, **options
    )


def written(folder: Path, text: str) -> Path:
    path = folder / "scenario.yaml"
    path.write_text(text, encoding="utf-8")
    return path


# ---- start-up and help -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["run", "--help"],
        ["--version"],
        ["validate", "examples/orders.yaml"],
        ["openslo", "examples/orders.yaml"],
        ["schema"],
        ["run", "no.yaml"],
    ],
    ids=" ".join,
)
def test_what_needs_no_engine_never_imports_it(arguments: list[str]):
    """Start-up is part of the product: numba and scipy cost a second."""
    command = [sys.executable, "-X", "importtime", "-m", "slosim", *arguments]
    ran = subprocess.run(command, cwd=ROOT, env=ENVIRONMENT, text=True, capture_output=True, check=False)
    imported = {
        line.rsplit("|", 1)[1].strip() for line in ran.stderr.splitlines() if line.startswith("import time:")
    }
    assert "slosim" in imported
    assert not imported & {"numba", "scipy", "llvmlite", "joblib"}


def test_version():
    assert slosim("--version").stdout == f"slosim {__version__}\n"


def test_without_a_command_there_is_help():
    assert "Usage" in slosim().stdout + slosim().stderr


@pytest.mark.parametrize("command", [command.__name__.rstrip("_") for command in COMMANDS])
def test_every_command_has_help(command: str):
    ran = slosim(command, "--help")
    assert ran.returncode == 0
    assert "Usage" in ran.stdout


def test_help_shows_options_together_that_belong_together():
    printed = slosim("run", "--help", env={"COLUMNS": "120"}).stdout
    titles = [line.strip("╭─╮ ") for line in printed.splitlines() if line.startswith("╭─")]
    assert titles == [
        *("Arguments", "Options", "What is simulated, and how often", "Where a report goes"),
        "Where runs are done, and what each may take",
    ]


@pytest.mark.parametrize("command", ["run", "check", "report"])
def test_help_says_what_can_go_to_stdout_and_what_to_install(command: str):
    printed = slosim(command, "--help", env={"COLUMNS": "200"}).stdout
    lines = {words[0]: line for line in printed.splitlines() if (words := line.strip("│ ").split())}
    for option in ("--json", "--html", "--markdown", "--junit", "--openslo", "--trace"):
        assert "- is stdout" in lines[option], option
    assert "pip install 'slosim[parquet]'" in lines["--tables"]


# ---- mistakes --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nonsense"], "No such command"),
        (["run"], "Missing argument"),
        (["run", "{file}", "--replications", "0"], "--replications"),
        (["run", "{file}", "--seed", "-1"], "--seed"),
        (["run", "{file}", "--memory-limit", "much"], "512MB or 2GiB"),
        (["run", "nowhere.yaml"], "nowhere.yaml"),
        (["run", "{file}", "--set", "services.s.instances"], "services.s.instances"),
        (["run", "{file}", "--set", "services.t.instances=2"], "services.t"),
        (["run", "{file}", "--set", "services.s.instances=0"], "services.s.instances"),
        (["run", "{file}", "--json", "no/such/folder.json"], "there is no folder no/such"),
        (["run", "{file}", "--json", "."], "it is a folder"),
        (["run", "{file}", "--out", "{file}"], "cannot make the folder"),
        (["run", "{file}", "--out", "-"], "- is stdout, and several files are written here: name a folder"),
        (["run", "{file}", "--keep", "-"], "- is stdout, and several files are written here: name a folder"),
        (["run", "{file}", "--json", "a", "--html", "./a"], "cannot write a: two outputs are to go there"),
        (["run", "{file}", "--json", "-", "--html", "-"], "only one output can go to stdout"),
        (
            ["compare", "{file}", "--set", "run.seed=2", "--json", "-", "--html", "-"],
            "only one output can go",
        ),
        (["validate", "nowhere.yaml"], "nowhere.yaml"),
        (["explain", "nowhere.yaml"], "nowhere.yaml"),
        (["init", "{file}"], "--force"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_mistake_is_explained_with_exit_code_2(tmp_path: Path, arguments: list[str], message: str):
    file = written(tmp_path, SMALL)
    ran = slosim(*(argument.replace("{file}", str(file)) for argument in arguments), cwd=tmp_path)
    assert ran.returncode == 2
    assert message in ran.stderr
    assert "Traceback" not in ran.stderr
    assert ran.stdout == ""


def test_validate_lists_all_mistakes_of_all_files(tmp_path: Path):
    wrong = written(tmp_path, SMALL.replace("topic: jobs", "topic: job").replace("100ms", "100 parsec"))
    ran = slosim("validate", EXAMPLES / "orders.yaml", wrong)
    assert ran.returncode == 2
    assert "orders.yaml: valid (5 topics, 1 producer, 4 services, 1 fault, 4 objectives)" in ran.stdout
    assert f"{wrong}:5 producers.p.topic" in ran.stderr
    assert f"{wrong}:6 services.s.service_time" in ran.stderr


def test_our_own_fault_gives_one_line_and_exit_code_1(tmp_path: Path):
    """A report that cannot be built stands for any bug; --debug shows where it is."""
    (tmp_path / "sitecustomize.py").write_text(
        "import slosim.cli.simulate as simulate\n"
        "def broken(*arguments, **options):\n    raise KeyError('no such thing')\n"
        "simulate.load_scenario = broken\n"
    )
    environment = {"PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT / 'src'}"}
    ran = slosim("run", "x y.yaml", env=environment)
    assert ran.returncode == 1
    assert ran.stderr.count("\n") == 1
    assert "This is a bug in slosim" in ran.stderr
    assert "slosim --debug run 'x y.yaml'" in ran.stderr
    assert "Traceback" in slosim("--debug", "run", "x.yaml", env=environment).stderr
    assert "Traceback" in slosim("run", "x.yaml", env={**environment, "SLOSIM_DEBUG": "1"}).stderr


# ---- explain, schema, init -------------------------------------------------------------------------------


def test_explain_draws_the_topology_and_shows_the_sums():
    ran = slosim("explain", EXAMPLES / "flash-sale.yaml")
    assert ran.returncode == 0
    assert "baskets ─▶ baskets, 3 instances × 4 slots" in ran.stdout
    assert "120 messages/s × 150 ms ÷ 12 slots = utilisation 1.50" in ran.stdout
    assert "5 instances would do" in ran.stdout


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.yaml")), ids=lambda path: path.stem)
def test_a_resolved_scenario_reads_back_as_itself(path: Path):
    scenario = load(path)
    assert loads(yaml_text(scenario.resolved()), base=path.parent) == scenario


def test_explain_shows_what_a_service_calls_and_what_its_instances_may_become():
    text = """
name: sums
run: {duration: 1h}
topics: {a: {partitions: 12}, failed: {}}
producers:
  shop: {topic: a, arrivals: {poisson: 10/s}}
services:
  x:
    consumes: a
    service_time: 10ms
    calls: [{dependency: d}]
    dead_letter: failed
    autoscale: {metric: lag, target: 100, maximum: 20}
  mail: {consumes: a, service_time: 1s, batch: {max_messages: 20}}
dependencies: {d: {capacity: 2, service_time: 300ms}}
faults:
  - {name: again, at: 30m, for: 1m, target: topics.failed, effect: {redrive: {to: a, rate: 5/s}}}
"""
    drawn, sums = draw(loads(text)), offered_load(loads(text))
    assert "a, 12 partitions ─▶ x, 1 to 20 instances × 1 slot, calls d" in drawn
    assert "└┄ failed (dead letters)\n│     ├┄ a, 12 partitions (redriven) ─▶ x (above)" in drawn
    assert "x     10.0 messages/s × 310 ms (calls: 300 ms) ÷ 1 slot = utilisation 3.10" in sums
    assert "autoscaled to at most 20 instances: ÷ 12 slots = utilisation 0.258" in sums
    assert "mail  10.0 messages/s × 50.0 ms (its share of a batch of 20) ÷ 1 slot = utilisation 0.500" in sums
    assert "d     ! 10.0 requests/s × 300 ms ÷ 2 at once = utilisation 1.50" in sums


def test_explain_bounds_what_clients_bring():
    text = """
name: closed
run: {duration: 1h}
topics: {a: {}, b: {}}
producers:
  till: {topic: a, arrivals: {clients: {count: 20, think_time: 5s}}}
  robot: {topic: b, arrivals: {clients: {count: 1, think_time: 0}}}
services:
  x: {consumes: a, service_time: 500ms}
  y: {consumes: b, service_time: 1s}
"""
    lines = offered_load(loads(text)).split("\n")
    assert lines == [
        "till   20 clients ÷ 5.00 s of thinking = at most 4.00 messages/s",
        "robot  1 client without thinking: as many messages/s as are answered",
        "x      at most 4.00 messages/s × 500 ms ÷ 1 slot = utilisation 2.00",
        "       it can limit how fast its clients are answered",
        "y      as much as it can do: its clients do not think",
    ]


@pytest.mark.parametrize("path", sorted(VALID.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_valid_scenario_is_explained(path: Path):
    scenario = load(path)
    text = draw(scenario) + offered_load(scenario)
    assert all(name in text for name in [*scenario.topics, *scenario.services, *scenario.dependencies])


def test_explain_takes_overrides():
    ran = slosim("explain", EXAMPLES / "flash-sale.yaml", "--set", "services.baskets.instances=6")
    assert "utilisation 0.750" in ran.stdout


def test_the_committed_schema_is_current_and_accepts_the_examples(tmp_path: Path):
    schema = json.loads((ROOT / "docs" / "scenario.schema.json").read_text(encoding="utf-8"))
    assert json.loads(slosim("schema").stdout) == schema, "make docs"
    jsonschema.Draft202012Validator.check_schema(schema)
    for path in EXAMPLES.glob("*.yaml"):
        jsonschema.validate(YAML(typ="safe", pure=True).load(path), schema)
    assert slosim("schema", "--out", "-", cwd=tmp_path).stdout == slosim("schema").stdout
    assert list(tmp_path.iterdir()) == []
    assert slosim("schema", "--out", tmp_path / "s.json").returncode == 0
    assert json.loads((tmp_path / "s.json").read_text(encoding="utf-8")) == schema


def test_init_writes_a_scenario_that_is_valid(tmp_path: Path):
    assert slosim("init", cwd=tmp_path).returncode == 0
    assert slosim("validate", "scenario.yaml", cwd=tmp_path).returncode == 0
    (tmp_path / "scenario.yaml").write_text("mine")
    assert slosim("init", cwd=tmp_path).returncode == 2
    assert (tmp_path / "scenario.yaml").read_text() == "mine"
    assert slosim("init", "--force", cwd=tmp_path).returncode == 0
    assert (tmp_path / "scenario.yaml").read_text() != "mine"


# ---- running ---------------------------------------------------------------------------------------------


def test_run_prints_the_report_and_saves_every_output(tmp_path: Path):
    file = written(tmp_path, KEPT)
    ran = slosim("run", file, "--json", tmp_path / "r.json", "--out", tmp_path / "new" / "out", "--seed", "4")
    assert ran.returncode == 0, ran.stderr
    assert "small" in ran.stdout
    out = tmp_path / "new" / "out"
    assert (out / "report.txt").read_text(encoding="utf-8") == ran.stdout
    assert (out / "report.json").read_text(encoding="utf-8") == (tmp_path / "r.json").read_text(
        encoding="utf-8"
    )
    report = json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))
    assert report["run"]["seed"] == 4
    assert load(out / "scenario.yaml") == load(file).replace({"run.seed": 4})
    series = list(csv.DictReader((out / "series.csv").open(encoding="utf-8", newline="")))
    lag = report["topics"]["jobs"]["consumers"]["s"]["series"]
    assert [float(row["t_s"]) for row in series] == lag["t_s"]
    assert [float(row["topics.jobs.consumers.s.lag"]) for row in series] == lag["lag"]
    assert "objectives[done].good" in series[0]
    histograms = list(csv.DictReader((out / "histograms.csv").open(encoding="utf-8", newline="")))
    latency = report["flows"]["p"]["latency_s"]
    counts = [float(row["count"]) for row in histograms if row["name"] == "flows.p.latency_s"]
    assert sum(counts) == latency["count"]


def test_the_report_ends_with_the_command_that_makes_it_again(tmp_path: Path):
    changes = ["--set", "run.duration=5m", "--set", "description=once more"]
    ran = slosim("run", written(tmp_path, KEPT), *changes)
    again = " ".join(ran.stdout.split()).partition("again: slosim ")[2]
    assert str(tmp_path) not in ran.stdout
    assert slosim(*shlex.split(again), cwd=tmp_path).stdout == ran.stdout


def test_run_overrides_replications_and_values(tmp_path: Path):
    arguments = ["--replications", "3", "--set", "run.duration=5m", "--json", "-"]
    report = json.loads(slosim("run", written(tmp_path, KEPT), *arguments).stdout)
    assert report["run"]["replications"] == 3
    assert report["run"]["duration_s"] == 300


def test_quiet_prints_nothing(tmp_path: Path):
    ran = slosim("run", written(tmp_path, KEPT), "--quiet")
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")


@pytest.mark.parametrize(("text", "run", "check"), [(SMALL, 0, 0), (KEPT, 0, 0), (BROKEN, 0, 99)])
def test_only_the_gate_fails_on_the_verdict(tmp_path: Path, text: str, run: int, check: int):
    file = written(tmp_path, text)
    assert slosim("run", file).returncode == run
    assert slosim("check", file).returncode == check


def test_demo_runs_the_orders_example():
    ran = slosim("demo")
    assert ran.returncode == 0
    assert ran.stdout == (EXAMPLES / "orders.out").read_text(encoding="utf-8")
    assert slosim("demo", "--scenario").stdout == (EXAMPLES / "orders.yaml").read_text(encoding="utf-8")


def test_the_memory_limit_ends_in_a_partial_report(tmp_path: Path):
    ran = slosim("run", written(tmp_path, GROWING), "--memory-limit", "100MB", "--json", tmp_path / "r.json")
    assert ran.returncode == 3, ran.stderr
    assert "memory limit" in ran.stdout
    report = json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))
    assert report["run"]["stopped"] == "memory limit"


def test_ctrl_c_ends_in_a_partial_report(tmp_path: Path):
    assert slosim("run", written(tmp_path, SMALL), "-q").returncode == 0, "compiles the engine"
    for patience_s in (4, 12, 36):  # past the start of the run, on a busy machine too
        process = started("run", written(tmp_path, LONG), "--json", tmp_path / "r.json")
        time.sleep(patience_s)
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=120)
        assert process.returncode == 130, err
        if out:
            break
    assert "interrupted" in out
    assert err == "interrupted: reporting what is finished (once more: stop at once)\n"
    report = json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))
    assert report["run"]["stopped"] == "interrupted"


def test_a_reader_who_leaves_changes_nothing(tmp_path: Path):
    """`slosim check … | head -1` still ends with the code of the check."""
    process = started("check", written(tmp_path, BROKEN))
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    assert "Traceback" not in process.stderr.read()
    assert process.wait(timeout=120) == 99


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no device that is always full")
def test_a_full_disk_is_named(tmp_path: Path):
    ran = slosim("run", written(tmp_path, SMALL), "--json", "/dev/full")
    assert ran.returncode == 2
    assert "cannot write /dev/full" in ran.stderr
    assert "small" in ran.stdout, "the report is printed although it cannot be saved"


def test_an_output_is_replaced_whole_or_not_at_all(tmp_path: Path):
    target = tmp_path / "r.json"
    target.write_text("old")
    target.chmod(0o640)
    assert slosim("run", written(tmp_path, SMALL), "--json", target).returncode == 0
    assert json.loads(target.read_text(encoding="utf-8"))["format"] == "slosim-report/1"
    assert target.stat().st_mode & 0o777 == 0o640
    assert sorted(path.name for path in tmp_path.iterdir()) == ["r.json", "scenario.yaml"]


def test_outputs_never_replace_the_scenario(tmp_path: Path):
    """`slosim init` writes scenario.yaml, and so does `--out`: a file with comments must not be lost."""
    file = written(tmp_path, SMALL)
    for option, place in (("--out", tmp_path), ("--json", file)):
        ran = slosim("run", file, option, place)
        assert ran.returncode == 2
        assert "it is the scenario itself" in ran.stderr
        assert file.read_text(encoding="utf-8") == SMALL


def test_a_symbolic_link_to_an_output_stays(tmp_path: Path):
    (tmp_path / "latest.json").symlink_to(tmp_path / "r.json")
    assert slosim("run", written(tmp_path, SMALL), "-q", "--json", tmp_path / "latest.json").returncode == 0
    assert (tmp_path / "latest.json").is_symlink()
    assert (tmp_path / "r.json").is_file()


@pytest.mark.parametrize("closed", [">&-", "2>&-"])
def test_closed_streams_are_no_mistake(tmp_path: Path, closed: str):
    command = shlex.join([sys.executable, "-m", "slosim", "run", str(written(tmp_path, SMALL))])
    ran = subprocess.run(
        ["sh", "-c", f"{command} {closed}"],
        env=ENVIRONMENT,
        text=True,
        capture_output=True,
        timeout=300,
        check=False,
    )
    assert ran.returncode == 0
    assert "bug" not in ran.stdout + ran.stderr


def started(*arguments: str | Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "slosim", *map(str, arguments)]
    return subprocess.Popen(
        command, env=ENVIRONMENT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
