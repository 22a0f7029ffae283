"""Replications side by side on the real thing: threads, processes that die, clusters that lose workers."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import signal
import subprocess
import sys
import time
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import pytest

import slosim
from keepers import killing, marking, marks, pids
from slosim.compile import lower as lowering
from slosim.engine.cache import KERNEL
from slosim.errors import UserError, WorkerLost
from slosim.experiments.compare.compare import compare
from slosim.experiments.store import Store
from slosim.experiments.study import Study
from slosim.workers import Work, backends, digest_of_runs, open_workers
from slosim.workers.work import DECISIVE, OTHER_CODE, Done, programs

TESTS = Path(__file__).parent
SOURCES = Path(slosim.__file__).parent
SMALL = """
name: small
run: {duration: 1m, warmup: 10s, seed: 1, replications: 6}
topics: {jobs: {}}
producers: {shop: {topic: jobs, arrivals: {poisson: 20/s}}}
services: {work: {consumes: jobs, instances: 2, service_time: {exponential: 60ms}}}
objectives: [{name: in time, flow: shop, within: 1s, target: 99%}]
"""


@pytest.fixture
def small(tmp_path: Path) -> slosim.Scenario:
    return slosim.load(small_file(tmp_path))


def small_file(folder: Path, text: str = SMALL) -> Path:
    file = folder / "small.yaml"
    file.write_text(text)
    return file


@pytest.fixture
def marked(tmp_path: Path) -> Path:
    folder = tmp_path / "marks"
    folder.mkdir()
    return folder


def works_of(scenario: slosim.Scenario, count: int) -> list[Work]:
    digest = digest_of_runs(scenario)
    return [Work(scenario, number, digest) for number in range(count)]


def compared(scenario: slosim.Scenario, workers: backends.Workers) -> str:
    """JSON of an experiment: this system with two and with three instances."""
    more = scenario.replace({"services.work.instances": 3})
    return compare(scenario, more, Study(workers, Store(None, "compare")), 4).to_json()


def alive(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return False


def until(condition: object, seconds: float = 30.0) -> bool:
    """Whether a condition comes true within some seconds."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


# The same bytes everywhere


def test_report_and_experiments_are_the_same_bytes_on_all_workers(small: slosim.Scenario):
    reports, experiments = set(), set()
    for backend, count in [
        ("threads", 1),
        ("threads", 2),
        ("threads", 3),
        ("processes", 1),
        ("processes", 3),
    ]:
        reports.add(slosim.run(small, backend=backend, workers=count).to_json())
        with open_workers(backend, count) as workers:
            experiments.add(compared(small, workers))

    assert len(reports) == len(experiments) == 1
    assert json.loads(reports.pop())["run"]["replications"] == 6


def test_a_program_is_lowered_once_for_all_runs_of_a_worker(small: slosim.Scenario, monkeypatch):
    lowered, lower = [], lowering.lower
    monkeypatch.setattr(lowering, "lower", lambda scenario: lowered.append(scenario) or lower(scenario))
    monkeypatch.setattr(programs, "_kept", OrderedDict())

    slosim.run(small, replications=5, workers=3)

    assert len(lowered) == 1


def test_a_scenario_travels_once_to_a_worker_process(small: slosim.Scenario, marked: Path):
    """What travels with each run is where the scenario is, however long its traces are."""
    sent: list[int] = []
    with open_workers("processes", 2) as workers:
        for process in workers._processes:
            submit = process.submit
            process.submit = lambda *its, submit=submit: sent.append(len(pickle.dumps(its))) or submit(*its)
        assert len(list(workers.outcomes(works_of(small, 6), marking(marked)))) == 6

    assert len(sent) == 6
    assert max(sent) < 1000 < len(pickle.dumps(small))


def test_of_two_processes_one_compiles_and_the_other_waits(tmp_path: Path):
    """The lock on the cache: a pool of processes on a cold machine compiles once."""
    code = (
        "import time\n"
        "from slosim.engine.cache import compiling\n"
        f"with compiling('any', {KERNEL!r}) as (folder, is_cached):\n"
        "    time.sleep(0 if is_cached else 1)\n"
        "print(is_cached)"
    )
    environment = os.environ | {"SLOSIM_CACHE_DIR": str(tmp_path), "PYTHONPATH": str(SOURCES.parent)}
    started = [
        subprocess.Popen([sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]

    assert sorted(one.communicate()[0].strip() for one in started) == ["False", "True", "True"]


# Processes that die


def test_a_killed_process_costs_its_own_run_only(small: slosim.Scenario, marked: Path):
    with open_workers("processes", 2) as workers:
        done = list(workers.outcomes(works_of(small, 12), killing(marked, replication=5, times=1)))

    assert sorted(one.kept[0] for one in done) == list(range(12))
    assert all(one.kept[0] == one.number for one in done)
    assert marks(marked) == {number: 2 if number == 5 else 1 for number in range(12)}


def test_a_process_that_is_killed_from_outside_is_replaced(small: slosim.Scenario, marked: Path):
    with open_workers("processes", 2) as workers:
        outcomes = workers.outcomes(works_of(small, 20), marking(marked, pause_s=0.05))
        first = list(islice(outcomes, 4))
        victim = next(iter(pids(marked)))
        os.kill(victim, signal.SIGKILL)
        rest = list(outcomes)

    assert sorted(one.number for one in first + rest) == list(range(20))
    assert sum(marks(marked).values()) <= 21
    assert not any(alive(pid) for pid in pids(marked))


def test_a_run_that_no_process_survives_is_named(small: slosim.Scenario, marked: Path):
    done: list[Done] = []
    deadly = killing(marked, replication=3, times=99)
    with (
        open_workers("processes", 2) as workers,
        pytest.raises(WorkerLost, match=r"replication 4 of small takes down every worker.*--memory-limit"),
    ):
        done.extend(workers.outcomes(works_of(small, 6), deadly))

    assert marks(marked)[3] == 3
    assert {one.number for one in done} >= {0, 1, 2}


def test_a_run_that_no_process_survives_ends_in_a_report_of_the_others(
    small: slosim.Scenario, marked: Path, monkeypatch
):
    monkeypatch.setattr("slosim.simulation.whole", _whole_but_the_last)

    report = slosim.run(small, backend="processes", workers=2)

    assert report.stopped == "worker lost"
    assert report.data["run"]["replications"] == 5


def _whole_but_the_last(scenario, measurements):
    if measurements.replication == 5:
        os.kill(os.getpid(), signal.SIGKILL)
    return measurements


def test_memory_limit_holds_in_processes(tmp_path: Path):
    overloaded = slosim.load(
        small_file(tmp_path, SMALL.replace("poisson: 20/s", "poisson: 20000/s").replace("1m", "5m"))
    )

    report = slosim.run(overloaded, backend="processes", workers=2, memory_limit_bytes=40_000_000)

    assert report.stopped == "memory limit"
    assert report.run.ended_s < 300


# Ctrl-C


def interrupted(arguments: list[str], when: object) -> tuple[int, str, str]:
    """Exit code and streams of slosim whose whole process group hears Ctrl-C, as in a terminal."""
    process = subprocess.Popen(
        [sys.executable, "-m", "slosim", *arguments],
        env=os.environ | {"PYTHONPATH": f"{SOURCES.parent}{os.pathsep}{TESTS}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert until(when, 60), process.kill()
    os.killpg(process.pid, signal.SIGINT)
    out, error = process.communicate(timeout=60)
    assert until(lambda: not group(process.pid), 10), "stray processes"
    return process.returncode, out, error


def group(leader: int) -> list[int]:
    """Processes of a group that are alive."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if int(fields[2]) == leader and fields[0] != "Z":
            found.append(int(stat.parent.name))
    return found


def test_ctrl_c_reports_what_processes_have_finished_and_going_on_gives_the_whole(tmp_path: Path):
    file, folder = small_file(tmp_path, SMALL.replace("1m", "20m")), tmp_path / "kept"
    command = ["run", str(file), "--replications", "60", "--keep", str(folder)]

    code, out, error = interrupted(
        [*command, "--backend", "processes", "--workers", "2"], lambda: len(list(folder.rglob("*.run"))) >= 3
    )
    finished = len(list(folder.rglob("*.run")))

    assert code == 130
    assert error.splitlines() == [error.strip()], error
    assert "interrupted: reporting what is finished" in error
    assert f"{finished} replications" in out
    assert 3 <= finished < 60

    times = {one: one.stat().st_mtime_ns for one in folder.rglob("*.run")}
    scenario = slosim.load(file)
    resumed = slosim.run(scenario, replications=60, keep=folder).to_json()
    assert {one: one.stat().st_mtime_ns for one in times} == times, "simulated again"
    assert resumed == slosim.run(scenario, replications=60).to_json()


def test_worker_processes_end_with_the_one_they_work_for(tmp_path: Path):
    folder = tmp_path / "kept"
    file = small_file(tmp_path, SMALL.replace("1m", "20m"))
    options = ["--replications", "500", "--quiet", "--backend", "processes", "--workers", "2"]
    process = subprocess.Popen(
        [sys.executable, "-m", "slosim", "run", file, *options, "--keep", folder],
        env=os.environ | {"PYTHONPATH": str(SOURCES.parent)},
        start_new_session=True,
        stderr=subprocess.DEVNULL,
    )
    assert until(lambda: len(list(folder.rglob("*.run"))) >= 2, 60)
    assert len(group(process.pid)) >= 3
    process.kill()
    process.wait()

    assert until(lambda: not group(process.pid), 15)


# A folder of finished replications


def test_kept_replications_are_not_simulated_again(small: slosim.Scenario, tmp_path: Path, monkeypatch):
    folder = tmp_path / "kept"
    few = slosim.run(small, replications=3, keep=folder)
    whole = slosim.run(small, keep=folder).to_json()
    assert few.to_json() == slosim.run(small, replications=3).to_json()
    assert whole == slosim.run(small).to_json()

    monkeypatch.setattr("slosim.workers.pool.simulate", lambda *_, **__: pytest.fail("simulated again"))
    again = slosim.run(small.replace({"name": "renamed"}), keep=str(folder))
    assert again.objectives[0].sli_ratio == slosim.Report.from_json(whole).objectives[0].sli_ratio


@pytest.mark.parametrize("damage", [b"", b"not ours", "cut", "other"])
def test_a_damaged_file_is_simulated_again(small: slosim.Scenario, tmp_path: Path, damage: bytes | str):
    folder = tmp_path / "kept"
    whole = slosim.run(small, keep=folder).to_json()
    first, second, *_ = sorted(folder.rglob("*.run"))
    content = first.read_bytes()
    wrong = {"cut": content[:-1], "other": second.read_bytes()}
    first.write_bytes(damage if isinstance(damage, bytes) else wrong[damage])

    assert slosim.run(small, keep=folder).to_json() == whole
    assert first.read_bytes() == content


def test_another_scenario_meets_no_stale_replication(small: slosim.Scenario, tmp_path: Path):
    other = small.replace({"run.seed": 2})
    slosim.run(small, keep=tmp_path / "kept")

    assert slosim.run(other, keep=tmp_path / "kept").to_json() == slosim.run(other).to_json()


def test_a_place_that_is_no_folder_is_refused(small: slosim.Scenario, tmp_path: Path):
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(UserError, match=r"cannot make the folder"):
        slosim.run(small, keep=file)


# What is refused


def test_an_unknown_backend_is_refused_with_those_there_are(small: slosim.Scenario):
    with pytest.raises(UserError, match=r"'proceses' is not known.*threads, processes, dask.*'processes'"):
        slosim.run(small, backend="proceses")
    with pytest.raises(UserError, match=r"--backend dask"):
        slosim.run(small, cluster="tcp://127.0.0.1:8786")


def test_dask_that_is_not_installed_is_named(small: slosim.Scenario, monkeypatch):
    monkeypatch.setitem(sys.modules, "dask.distributed", None)
    monkeypatch.setitem(sys.modules, "dask", None)
    with pytest.raises(UserError, match=r"pip install 'slosim\[dask\]'"):
        slosim.run(small, backend="dask", cluster="tcp://127.0.0.1:8786")


def test_a_cluster_without_an_address_is_refused(small: slosim.Scenario):
    with pytest.raises(UserError, match=r"--cluster tcp://host:8786"):
        slosim.run(small, backend="dask")
    with pytest.raises(UserError, match=r"got nowhere://x"):
        slosim.run(small, backend="dask", cluster="nowhere://x")


def test_an_address_where_no_cluster_is_is_refused_soon(small: slosim.Scenario, monkeypatch):
    monkeypatch.setattr(backends, "CONNECTS_IN_S", 2)
    began = time.monotonic()
    with pytest.raises(UserError, match=r"no cluster answers at tcp://127.0.0.1:1 within 2 s"):
        slosim.run(small, backend="dask", cluster="tcp://127.0.0.1:1")
    assert time.monotonic() - began < 10


# A cluster


class Cluster(NamedTuple):
    address: str
    scheduler: subprocess.Popen
    workers: list[subprocess.Popen]


@contextmanager
def cluster(
    folder: Path, workers: int = 2, nanny: bool = False, package: Path = SOURCES.parent
) -> Iterator[Cluster]:
    """A scheduler and workers of one thread each, processes of this machine."""
    file = folder / "scheduler.json"
    environment = os.environ | {
        "PYTHONPATH": f"{package}{os.pathsep}{TESTS}",
        "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "1",
    }

    def start(*arguments: str) -> subprocess.Popen:
        command = [sys.executable, "-m", "dask", *arguments, "--scheduler-file", str(file)]
        return subprocess.Popen(command, env=environment, cwd=folder, stderr=subprocess.DEVNULL)

    local = ("--host", "127.0.0.1")
    scheduler = start("scheduler", *local, "--port", "0", "--no-dashboard")
    started: list[subprocess.Popen] = []
    try:
        assert until(file.exists)
        kind = "--nanny" if nanny else "--no-nanny"
        for _ in range(workers):
            started.append(start("worker", *local, kind, "--nthreads", "1", "--no-dashboard"))
        address = json.loads(file.read_text())["address"]
        if workers:
            _wait_for(address, workers)
        yield Cluster(address, scheduler, started)
    finally:
        for process in [*started, scheduler]:
            process.terminate()
        for process in [*started, scheduler]:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


def _wait_for(address: str, workers: int) -> None:
    from dask.distributed import Client

    with Client(address, set_as_default=False) as client:
        client.wait_for_workers(workers, timeout=60)


def test_a_cluster_gives_the_same_bytes_and_goes_on_when_a_worker_is_killed(
    small: slosim.Scenario, tmp_path: Path, marked: Path
):
    with cluster(tmp_path) as its:
        report = slosim.run(small, backend="dask", cluster=its.address)
        with open_workers("dask", cluster=its.address) as workers:
            experiment = compared(small, workers)
            assert workers.count == 2
            done = list(workers.outcomes(works_of(small, 16), killing(marked, replication=5, times=1)))
            assert until(lambda: workers._look() or workers.count == 1)

        assert sum(process.poll() is None for process in its.workers) == 1
        assert sorted(one.kept[0] for one in done) == list(range(16))
        assert marks(marked)[5] == 2
        assert len(pids(marked)) == 2
        after = slosim.run(small, backend="dask", cluster=its.address)

    assert report.to_json() == after.to_json() == slosim.run(small).to_json()
    with open_workers("threads", 2) as workers:
        assert experiment == compared(small, workers)


def test_a_run_that_no_worker_of_a_cluster_survives_is_named(
    small: slosim.Scenario, tmp_path: Path, marked: Path
):
    with (
        cluster(tmp_path, nanny=True) as its,
        open_workers("dask", cluster=its.address) as workers,
        pytest.raises(WorkerLost, match=r"replication \d of small, or one that waited beside it, takes"),
    ):
        list(workers.outcomes(works_of(small, 6), killing(marked, replication=3, times=99)))

    assert marks(marked)[3] == 2, "one more than the scheduler allows"


def test_a_cluster_that_loses_all_workers_and_then_its_scheduler_is_left(
    small: slosim.Scenario, tmp_path: Path, marked: Path, monkeypatch
):
    monkeypatch.setattr(backends, "LOST_AFTER_S", 2)
    with cluster(tmp_path) as its:
        with open_workers("dask", cluster=its.address) as workers:
            outcomes = workers.outcomes(works_of(small, 100), marking(marked, pause_s=0.1))
            next(outcomes)
            for process in its.workers:
                process.kill()
            with pytest.raises(WorkerLost, match=r"has had no workers for 2 s"):
                list(outcomes)

        monkeypatch.setattr(backends, "CONNECTS_IN_S", 1)
        with pytest.raises(UserError, match=r"has no workers: dask worker tcp://"):
            open_workers("dask", cluster=its.address)


def test_a_scheduler_that_is_killed_is_noticed(small: slosim.Scenario, tmp_path: Path, marked: Path):
    with cluster(tmp_path) as its:
        began = 0.0
        with open_workers("dask", cluster=its.address) as workers:
            outcomes = workers.outcomes(works_of(small, 100), marking(marked, pause_s=0.1))
            next(outcomes)
            its.scheduler.kill()
            began = time.monotonic()
            with pytest.raises(WorkerLost, match=r"the scheduler at tcp://.* is gone"):
                list(outcomes)
        assert time.monotonic() - began < 30


def test_ctrl_c_leaves_nothing_to_do_on_a_cluster(small: slosim.Scenario, tmp_path: Path, marked: Path):
    def stop(status) -> None:
        if status.finished >= 3:
            raise KeyboardInterrupt

    with cluster(tmp_path) as its:
        with open_workers("dask", cluster=its.address) as workers:
            done = list(workers.outcomes(works_of(small, 200), marking(marked, pause_s=0.1), stop))
            assert 3 <= len(done) < 20
        assert until(lambda: tasks_of(its.address) == 0)

    assert sum(marks(marked).values()) < 20


def tasks_of(address: str) -> int:
    """Replications that a scheduler knows: waiting, at work or done and wanted by somebody."""
    from dask.distributed import Client

    with Client(address, set_as_default=False) as client:
        return client.run_on_scheduler(_count_replications)


def _count_replications(dask_scheduler) -> int:
    return sum("simulate" in str(key) for key in dask_scheduler.tasks)


def test_workers_with_other_code_are_refused(small: slosim.Scenario, tmp_path: Path):
    package = tmp_path / "other"
    shutil.copytree(SOURCES, package / "slosim", ignore=shutil.ignore_patterns("__pycache__", "examples"))
    with (package / "slosim" / "engine" / "chance.py").open("a") as file:
        file.write("\n# changed\n")

    with (
        cluster(tmp_path, workers=1, package=package) as its,
        pytest.raises(UserError, match=rf"1 of 1 workers, first tcp://.*, have {OTHER_CODE}"),
    ):
        open_workers("dask", cluster=its.address)


def test_the_digest_of_the_code_covers_whatever_decides_a_run(tmp_path: Path):
    """All of slosim that is loaded where a run is simulated and summarised, but for what only carries it."""
    carriers = {"errors", "files", "kept", "simulation", "version", "workers"}
    program = f"""
import sys
import slosim
from slosim.experiments.study import summary_of_whole_run
from slosim.workers import digest_of_runs
from slosim.workers.work import simulate
scenario = slosim.load({str(small_file(tmp_path))!r})
assert simulate(scenario, digest_of_runs(scenario), 0, summary_of_whole_run, 1 << 30).kept is not None
print(*{{name.split(".")[1] for name in sys.modules if name.startswith("slosim.")}})
"""
    environment = os.environ | {"PYTHONPATH": str(SOURCES.parent)}
    ran = subprocess.run(
        [sys.executable, "-c", program], env=environment, text=True, capture_output=True, check=True
    )
    assert set(ran.stdout.split()) - carriers == set(DECISIVE)
