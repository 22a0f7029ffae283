"""The arrows of ARCHITECTURE.md, drawn from the imports: data flows one way."""

import ast
import subprocess
import sys
from pathlib import Path

import slosim

ROOT = Path(slosim.__file__).parent
MAY_IMPORT = {
    "errors": set(),
    "files": {"errors"},
    "version": set(),
    "kept": {"errors", "files", "measure"},
    "theory": set(),
    "model": {"errors", "version"},
    "measure": {"errors"},
    "compile": {"errors", "model"},
    "engine": {"errors", "files", "model", "compile", "measure"},
    "report": {"errors", "version", "files", "model", "compile", "measure", "theory"},
    "html": {"errors", "version", "files", "measure", "report"},
    "outputs": {"errors", "version", "files", "model", "report", "html"},
    "workers": {"errors", "model", "compile", "engine", "measure"},
    "simulation": {"errors", "kept", "model", "engine", "measure", "report", "workers"},
    "experiments": {
        "errors",
        "version",
        "files",
        "model",
        "compile",
        "measure",
        "report",
        "workers",
        "simulation",
        "html",
        "outputs",
    },
    "cli": {
        "errors",
        "version",
        "files",
        "model",
        "compile",
        "engine",
        "measure",
        "report",
        "workers",
        "simulation",
        "experiments",
        "html",
        "outputs",
        "theory",
    },
    "__main__": {"cli"},
}
"""What each part may import besides itself; `slosim` hands out names and is imported by the cli only."""
FORMS = {"report/report.py": {"html", "outputs"}}
"""A report hands out its own forms, so it imports their makers, in the methods that need them.
These read its data and nothing of the object, so data still flows one way."""
OBJECTS = {"slosim.report.report", "slosim.report.Report", "slosim.Report"}
HEAVY = {"numpy", "numba", "scipy", "llvmlite", "rich", "ruamel"}


def parts_and_imports():
    """(path, line, part, imported part) for every import inside the package."""
    for file in sorted(ROOT.rglob("*.py")):
        part = file.relative_to(ROOT).parts[0].removesuffix(".py")
        if part == "__init__":
            continue
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("slosim."):
                names = [node.module]
            elif isinstance(node, ast.ImportFrom) and node.module == "slosim":
                names = [f"slosim.{alias.name}" for alias in node.names]
            elif isinstance(node, ast.Import):
                names = [alias.name for alias in node.names if alias.name.startswith("slosim.")]
            else:
                continue
            for name in names:
                yield file.relative_to(ROOT).as_posix(), node.lineno, part, name.split(".")[1]


def test_imports_follow_the_arrows():
    against = [
        f"{path}:{line} imports {imported}"
        for path, line, part, imported in parts_and_imports()
        if imported not in {part} | MAY_IMPORT[part] | FORMS.get(path, set())
    ]
    assert against == []


def test_the_language_needs_no_numerical_package_when_imported():
    """Checking a file must be quick: heavy packages are imported inside the functions that need them."""
    against = []
    for folder in ("model", "errors.py", "cli"):
        files = [ROOT / folder] if folder.endswith(".py") else sorted((ROOT / folder).rglob("*.py"))
        for file in files:
            for node in ast.parse(file.read_text(encoding="utf-8")).body:
                if isinstance(node, ast.Import):
                    names = [alias.name for alias in node.names]
                elif isinstance(node, ast.ImportFrom):
                    names = [node.module or ""]
                else:
                    continue
                against += [f"{file.name}: {name}" for name in names if name.split(".")[0] in HEAVY]
    assert against == []


def test_forms_are_imported_when_asked_and_never_know_the_report_itself():
    code = "import slosim.report.report, slosim.experiments.result, sys; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert not {name for name in loaded.split() if name.startswith(("slosim.html", "slosim.outputs"))}
    for part in ("html", "outputs"):
        for file in (ROOT / part).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.ImportFrom):
                    names = {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
                    assert not names & OBJECTS, file
