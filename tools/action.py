"""The check of the GitHub action: `slosim check` for each scenario, a summary, reports, the worst exit code.

Reads SLOSIM_SCENARIO, SLOSIM_ARGS, SLOSIM_BASELINE and SLOSIM_FAIL, as action.yml describes them, and
GITHUB_OUTPUT, GITHUB_STEP_SUMMARY and RUNNER_TEMP, as GitHub does. Whatever others may have named is printed
shielded, because the runner obeys commands in a log.
"""

from __future__ import annotations

import glob
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

from slosim.errors import UserError
from slosim.outputs.annotations import ERROR, WARNING, command, shielded

NOT_MET, INTERRUPTED, WRONG_INPUT, OUR_FAULT = 99, 130, 2, 1
CODES = (0, NOT_MET, 3, INTERRUPTED, WRONG_INPUT, OUR_FAULT)
"""Exit codes of `slosim check` from good to bad."""
VERDICTS = ("no objectives", "met", "undecided", "missed", "broken")
"""From good to bad; broken: there is no report."""
NAME_MAX = 60  # characters of a folder of reports


def main() -> int:
    """Check all, and say how bad it is."""
    try:
        files = matching(os.environ.get("SLOSIM_SCENARIO", ""))
        options = words(os.environ.get("SLOSIM_ARGS", ""))
        must_meet = truth("fail", os.environ.get("SLOSIM_FAIL", "true"))
        baseline = baseline_of(os.environ.get("SLOSIM_BASELINE", ""), files)
        reports = Path(tempfile.mkdtemp(prefix="slosim-", dir=os.environ.get("RUNNER_TEMP")))
        write_to("GITHUB_OUTPUT", f"reports={reports}\n")
    except (UserError, OSError) as error:
        print(command(ERROR, str(error), "slosim", None, None))
        return WRONG_INPUT
    codes, verdicts = [0], [VERDICTS[0]]
    for file, name in zip(files, names_of(files), strict=True):
        folder = reports / name
        folder.mkdir()
        codes.append(check(file, folder, [*options, *compared(baseline, name)]))
        verdicts.append(verdict_in(folder))
        write_to("GITHUB_STEP_SUMMARY", summary(file, folder))
    write_to("GITHUB_OUTPUT", f"verdict={max(verdicts, key=VERDICTS.index)}\n")
    failures = [code for code in codes if must_meet or code != NOT_MET]
    return max(failures, key=lambda code: CODES.index(code) if code in CODES else len(CODES))


def matching(patterns: str) -> list[str]:
    """The files that lines name, as they are or by patterns, each once.

    Raises:
        UserError: there is none, or none of a line.
    """
    found: list[str] = []
    for line in filter(None, map(str.strip, patterns.splitlines())):
        files = (
            [line]
            if os.path.exists(line)
            else sorted(filter(os.path.isfile, glob.glob(line, recursive=True)))
        )
        if not files:
            raise UserError(f"scenario: no file is called, or looks like, {line}")
        found += files
    if not found:
        raise UserError("scenario: expected files, one per line, got none")
    return list(dict.fromkeys(found))


def words(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError as fault:
        raise UserError(f"args: {fault} in {text}") from None


def truth(name: str, text: str) -> bool:
    if text.strip().lower() not in ("true", "false"):
        raise UserError(f"{name}: expected true or false, got {text}")
    return text.strip().lower() == "true"


def baseline_of(text: str, files: list[str]) -> Path | None:
    """The report or folder of reports to compare with; None, and a warning, where it does not exist.

    Raises:
        UserError: one report for several scenarios.
    """
    if not text.strip():
        return None
    path = Path(text.strip())
    if not path.exists():
        print(command(WARNING, f"there is no {path}, so nothing is compared", "slosim baseline", None, None))
        return None
    if path.is_file() and len(files) > 1:
        raise UserError(
            f"baseline: {len(files)} scenarios need a folder of reports, got the one report {path}"
        )
    return path


def compared(baseline: Path | None, name: str) -> list[str]:
    """The option that compares with the report of the same scenario, if there is one."""
    if baseline is None:
        return []
    report = baseline / name / "report.json" if baseline.is_dir() else baseline
    return ["--baseline", str(report)] if report.is_file() else []


def names_of(files: list[str]) -> list[str]:
    """A folder for each file, named after it in letters that artifacts may have, all different."""
    names: list[str] = []
    for file in files:
        plain = re.sub(r"[^\w.-]+", "-", Path(file).stem, flags=re.ASCII).strip(".-")[:NAME_MAX] or "scenario"
        name, count = plain, 1
        while name.lower() in map(str.lower, names):
            count += 1
            name = f"{plain}-{count}"
        names.append(name)
    return names


def check(file: str, folder: Path, options: list[str]) -> int:
    """Run the gate; its annotations go to the log as they are. Returns its exit code."""
    outputs = {
        "--json": "report.json",
        "--markdown": "report.md",
        "--html": "report.html",
        "--junit": "junit.xml",
    }
    written = [word for option, name in outputs.items() for word in (option, str(folder / name))]
    asked = ["check", *options, *written, "--annotations", "github", "--", file]
    print(shielded(f"slosim check {file}"), flush=True)
    ran = subprocess.run([sys.executable, "-m", "slosim", *asked], stderr=subprocess.PIPE, check=False)
    said = ran.stderr.decode(errors="replace").strip()
    if said:
        print(shielded(said), flush=True)
    if said and ran.returncode in (WRONG_INPUT, OUR_FAULT):
        print(command(ERROR, said, "slosim", file, None), flush=True)
    if ran.returncode == 0 and not (folder / outputs["--json"]).is_file():
        what = "nothing was simulated, or its report went elsewhere: leave such options out of args"
        print(command(ERROR, what, "slosim", file, None), flush=True)
        return WRONG_INPUT
    return ran.returncode


def verdict_in(folder: Path) -> str:
    try:
        return json.loads((folder / "report.json").read_text(encoding="utf-8"))["verdict"]
    except OSError:
        return VERDICTS[-1]


def summary(file: str, folder: Path) -> str:
    """The report for the summary of the job; of a scenario without one only that."""
    try:
        return (folder / "report.md").read_text(encoding="utf-8") + "\n"
    except OSError:
        plain = "".join(
            letter if letter.isalnum() or letter in "/._-" else f"&#{ord(letter)};" for letter in file
        )
        return f"❌ **{plain}** cannot be simulated: the annotations say why.\n\n"


def write_to(variable: str, text: str) -> None:
    """Append to the file that GitHub names in a variable; without one, as on a desk, to nothing."""
    if path := os.environ.get(variable):
        with open(path, "a", encoding="utf-8", errors="replace") as file:
            file.write(text)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
