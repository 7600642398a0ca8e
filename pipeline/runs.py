"""The folder of a training: what it was asked for, how far it is, and how a stopped one is found again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pipeline.files import claimed_folder, output_error, write_text
from pipeline.yolo import Epoch

_STATE = "run.json"


@dataclass(frozen=True, slots=True)
class Run:
    """A training's folder.

    Args:
        folder: ``runs/<data set>/<n>``.
        fingerprint: of all that the outcome depends on; the same one goes on where it was stopped.
        state: what was written down of it; empty for a new one.
    """

    folder: Path
    fingerprint: str
    state: Mapping[str, Any]

    @property
    def continued(self) -> bool:
        """Whether it was begun before and stopped."""
        return bool(self.state)

    def note(self, **facts: object) -> None:
        """Add facts to what is written down, whole or not at all.

        Raises:
            OutputError: it cannot be written there.
        """
        state = {**_read_state(self.folder), "fingerprint": self.fingerprint, **facts}
        write_text(self.folder / _STATE, json.dumps(state, indent=2) + "\n")


def open_run(folder: Path, fingerprint: str, *, fresh: bool = False) -> Run:
    """The data set's last run where it was stopped and would do the same again; else a new one.

    Args:
        folder: ``runs/<data set>``.
        fingerprint: see ``Run``.
        fresh: begin a new one in any case.
    """
    numbers = [int(path.name) for path in folder.glob("*") if path.name.isdigit()]
    last = folder / str(max(numbers, default=0))
    state = {} if fresh else _read_state(last)
    if state.pop("fingerprint", None) == fingerprint and not state.get("finished"):
        return Run(last, fingerprint, state)
    return Run(folder / str(max(numbers, default=0) + 1), fingerprint, {})


def claimed(folder: Path) -> AbstractContextManager[None]:
    """Keep a data set's runs for this process; see ``claimed_folder``.

    Raises:
        CropsortError: another process is training there.
        OutputError: it cannot be written there.
    """
    return claimed_folder(folder, "training", "let it finish, or stop it")


def keep_epoch(folder: Path, epoch: Epoch) -> None:
    """Add an epoch to a stage's record."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "epochs.jsonl").open("a", encoding="utf-8") as file:
            # In front as well: what a power cut left half written must not swallow this one.
            file.write(f"\n{json.dumps(asdict(epoch))}\n")
    except OSError as error:
        raise output_error(error, folder) from error


def read_epochs(folder: Path) -> list[Epoch]:
    """A stage's epochs so far; of one that was done twice the later, half-written lines left out."""
    try:
        lines = (folder / "epochs.jsonl").read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    epochs: dict[int, Epoch] = {}
    for line in lines:
        with suppress(ValueError, TypeError):
            epoch = Epoch(**json.loads(line))
            epochs[epoch.number] = epoch
    return [epochs[number] for number in sorted(epochs)]


def _read_state(folder: Path) -> dict[str, Any]:
    try:
        state = json.loads((folder / _STATE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return state if isinstance(state, dict) else {}
