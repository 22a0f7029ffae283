"""The arrows of ARCHITECTURE.md, drawn from the imports: data flows one way."""

import ast
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
    "html": {"errors", "version", "files", "report"},
    "outputs": {"errors", "version", "files", "report", "html"},
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
HEAVY = {"numpy", "numba", "scipy", "llvmlite", "rich", "ruamel"}


def parts_and_imports():
    """(file, line, part, imported part) for every import inside the package."""
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
                yield file, node.lineno, part, name.split(".")[1]


def test_imports_follow_the_arrows():
    against = [
        f"{file.relative_to(ROOT)}:{line} imports {imported}"
        for file, line, part, imported in parts_and_imports()
        if imported != part and imported not in MAY_IMPORT[part]
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
