"""Pin the dependencies anew: requirements.txt and requirements-dev.txt, hashes for all platforms.

Run by `make lock`. Settings of this machine (a mirror, extra folders of wheels) are kept out on purpose.
"""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HEADER = "# {purpose}\n# Generated from pyproject.toml by `make lock`; do not edit.\n"
FILES = {
    "requirements.txt": ("build", "What slosim runs on, and its build backend."),
    "requirements-dev.txt": ("dev", "All of requirements.txt, and what tests, lint and types need."),
}


def main() -> None:
    for name, (group, purpose) in FILES.items():
        lock(ROOT / name, group, HEADER.format(purpose=purpose))


def lock(target: Path, group: str, header: str) -> None:
    """Write one requirements file; versions that are pinned in it already stay unless --upgrade is given."""
    command = [sys.executable, "-m", "uv", "pip", "compile", "pyproject.toml", "--group", group,
               "--universal", "--python-version", "3.11", "--generate-hashes", "--no-emit-index-url",
               "--no-header", "--no-annotate", "--no-config", "--quiet", "--output-file", target.name,
               *sys.argv[1:]]  # fmt: skip
    if target.name != "requirements.txt":
        command += ["--constraint", "requirements.txt"]
    subprocess.run(command, cwd=ROOT, env=plain_environment(), check=True)
    target.write_text(header + target.read_text())


def plain_environment() -> dict[str, str]:
    """This process's environment without the settings of pip and uv."""
    return {key: value for key, value in os.environ.items() if not key.startswith(("PIP_", "UV_"))}


if __name__ == "__main__":
    main()
