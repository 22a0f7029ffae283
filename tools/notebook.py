"""Run the notebooks anew and save them with what they show. Run by `make notebook`, and by their test.

A notebook is run from top to bottom in an empty folder, by this Python and without what a user has set up for
Jupyter or IPython. Saved is what is written and shown, but no time, no version of Python, no machine.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nbformat
from jupyter_client.kernelspec import NATIVE_KERNEL_NAME, KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient

from slosim.files import write_whole

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = (ROOT / "notebooks" / "orders.ipynb",)
CELL_SECONDS = 300
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": NATIVE_KERNEL_NAME},
    "language_info": {"name": "python"},
}


class ThisPython(AsyncKernelManager):
    """Without folders of kernels there is one: the Python that runs this."""

    def __init__(self, **its: Any) -> None:
        super().__init__(kernel_spec_manager=KernelSpecManager(kernel_dirs=[]), **its)


def executed(path: Path) -> str:
    """The notebook as its file should be. An error in a cell is raised with the cell and its traceback."""
    notebook = nbformat.read(path, as_version=4)
    with tempfile.TemporaryDirectory() as folder, _nothing_of_the_user(folder):
        work = Path(folder, "work")
        work.mkdir()
        NotebookClient(
            notebook,
            kernel_manager_class=ThisPython,
            kernel_name=NATIVE_KERNEL_NAME,
            extra_arguments=["--log-level=ERROR"],
            timeout=CELL_SECONDS,
            record_timing=False,
            coalesce_streams=True,
            resources={"metadata": {"path": str(work)}},
        ).execute()
    notebook.metadata = nbformat.from_dict(METADATA)
    for number, cell in enumerate(notebook.cells):
        cell.id, cell.metadata = f"cell-{number}", nbformat.from_dict({})
    nbformat.validate(notebook)
    return nbformat.writes(notebook, version=4).rstrip("\n") + "\n"


@contextmanager
def _nothing_of_the_user(folder: str) -> Iterator[None]:
    """Settings, start-up files and connections of Jupyter and IPython are looked for in an empty folder."""
    places = {f"{name}_DIR": folder for name in ("JUPYTER_CONFIG", "JUPYTER_DATA", "JUPYTER_RUNTIME")}
    before = dict(os.environ)
    os.environ.update(places, IPYTHONDIR=folder, PYTHONPATH=str(ROOT / "src"), NO_COLOR="1")
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def main() -> None:
    for path in NOTEBOOKS:
        write_whole(path, executed(path))


if __name__ == "__main__":
    main()
