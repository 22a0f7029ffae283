"""A folder of finished replications, so that a long run goes on where it was stopped.

    FOLDER/DIGEST/000041.run    all that replication 42 measured (`measure/codec.py`)

DIGEST is that of all that decides the runs (`workers.digest_of_runs`), so another scenario or version meets
no stale run, and several share a folder. Files appear whole or not at all; one that is damaged all the same
is not used, and its replication is simulated again.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from slosim.errors import UserError
from slosim.files import require_folder, write_whole

if TYPE_CHECKING:
    from slosim.measure.measurements import Measurements


class Kept:
    """The replications of one scenario in a folder.

    Raises:
        UserError: the folder cannot be made or written to.
    """

    def __init__(self, folder: Path, digest: str) -> None:
        self.folder = folder / digest[:32]
        for one in (folder, self.folder):
            require_folder(one)

    def read(self, numbers: Iterable[int]) -> dict[int, Measurements]:
        """Those of these replications, numbered from 0, that are there."""
        from slosim.measure.codec import from_bytes

        read: dict[int, Measurements] = {}
        for number in numbers:
            file = self._file(number)
            try:
                one = from_bytes(file.read_bytes())
            except (FileNotFoundError, ValueError):
                continue
            except OSError as error:
                raise UserError(f"cannot read {file}: {error.strerror or error}") from None
            if one.replication == number:
                read[number] = one
        return read

    def write(self, number: int, content: bytes) -> None:
        """Keep a replication, as `to_bytes` made it.

        Raises:
            UserError: it cannot be written.
        """
        write_whole(self._file(number), content)

    def _file(self, number: int) -> Path:
        return self.folder / f"{number:06}.run"
