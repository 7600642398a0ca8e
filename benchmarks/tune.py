"""Whether what was chosen fits: each case is tuned under a limit, trained for two epochs, and its memory watched.

    python benchmarks/tune.py                      # the CPU's cases
    python benchmarks/tune.py --device 0           # the GPU's, beside Ultralytics' own auto batch
    python benchmarks/tune.py --only cpu-3GB-yolov5n

Photos are drawn, or ``--data`` names a data.yaml whose photos and labels are taken. A case that is done is not done
again; its file below ``--work`` is deleted to repeat it. ``memory`` is the peak of the training's processes: PSS on a
CPU, what torch reserved and the context on a GPU.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
GB = 2**30
ROUNDS = 3

# What people do instead: Ultralytics' auto batch, aiming at 60 % of the same memory.
PEER = """
import json, sys, time, torch
from ultralytics import YOLO
model, data, imgsz, batch, limit, folder, device = json.loads(sys.argv[1])
total = torch.cuda.get_device_properties(device).total_memory
free = torch.cuda.mem_get_info(device)[0]
torch.cuda.set_per_process_memory_fraction(min(1.0, limit / total), device)
ends = []
yolo = YOLO(f"{model}.yaml")
yolo.add_callback("on_train_epoch_start", lambda trainer: ends.append(time.perf_counter()))
yolo.add_callback("on_train_epoch_end", lambda trainer: ends.append(time.perf_counter()))
settings = dict(data=data, imgsz=imgsz, epochs=2, device=device, project=folder, name="run", exist_ok=True, val=False)
yolo.train(batch=batch or min(0.9, 0.6 * limit / free), pretrained=False, plots=False, verbose=False, **settings)
photos = len(yolo.trainer.train_loader.dataset)
print(json.dumps([yolo.trainer.batch_size, photos / (ends[3] - ends[2])]))
"""


@dataclass(frozen=True, slots=True)
class Case:
    """A limit and what is trained under it.

    Args:
        device: ``cpu`` or the number of a GPU.
        limit: such as ``3GB``.
        model: the detector's.
        imgsz: the detector's image size; None for the tuner's choice.
        crop: the classifier's image size; None for the tuner's choice.
        boxes: in each photo.
        told: where the case comes from.
    """

    device: str
    limit: str
    model: str
    imgsz: int | None = None
    crop: int | None = None
    boxes: int = 2
    told: str = ""

    @property
    def name(self) -> str:
        where = "cpu" if self.device == "cpu" else "gpu"
        size = "".join(f"-{value}px" for value in (self.imgsz, self.crop) if value)
        return f"{where}-{self.limit}-{self.model}{size}{'-crowded' if self.boxes > 2 else ''}"


def list_cases(device: str) -> list[Case]:
    """On a CPU three limits and two models; on a GPU twelve cases and the documents' own."""
    if device == "cpu":
        return [Case(device, limit, model) for limit in ("1.5GB", "3GB", "6GB") for model in ("yolov5n", "yolo11s")]
    cases = [
        Case(device, limit, model, boxes=boxes)
        for limit, boxes in (("2GB", 2), ("4GB", 40), ("8GB", 2), ("24GB", 40))
        for model in ("yolov5n", "yolo11s", "yolov5l")
    ]
    return [
        *cases,
        Case(device, "4GB", "yolov5l", imgsz=640, told="A, by hand: 640 px, batch 2"),
        Case(device, "8GB", "yolov5n", crop=512, told="C, by hand: classifier at 512 px, batch 32 at the edge"),
        Case(device, "6GB", "yolov5n", crop=192, told="D, by hand: classifier at 200 px, batch 20"),
    ]


def main() -> None:
    """Run the cases that are not done yet, and print all."""
    options = parse_options()
    work = options.work.resolve()
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    print("| case | stage | chosen | limit | predicted | measured | m/p | m/limit | ran out | tuned in |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for case in list_cases(options.device):
        if options.only in ("", case.name):
            result = run_once(case, work, options)
            print_case(case, result)


def parse_options() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, help="a data.yaml whose photos and labels are taken")
    parser.add_argument("--device", default="cpu", help="cpu, or the number of a GPU")
    parser.add_argument("--only", default="", help="one case by its name")
    parser.add_argument("--photos", type=int, default=0, help="how many are drawn; by default 160, on a GPU 1600")
    parser.add_argument(
        "--work", type=Path, default=Path("runs") / "benchmarks" / "tune", help="where the cases are run"
    )
    return parser.parse_args()


def run_once(case: Case, work: Path, options: argparse.Namespace) -> dict[str, Any]:
    """A case's figures, from disk where it is done."""
    done = work / f"{case.name}.json"
    if not done.exists():
        folder = work / case.name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        figures = run_case(case, folder, find_photos(case, work, options))
        done.write_text(json.dumps(figures, indent=2), encoding="utf-8")
        shutil.rmtree(folder)
    result: dict[str, Any] = json.loads(done.read_text(encoding="utf-8"))
    return result


def find_photos(case: Case, work: Path, options: argparse.Namespace) -> Path:
    """The data.yaml of the photos: the one given, or of photos drawn once, with as many boxes as the case wants."""
    if options.data:
        return Path(options.data).resolve()
    count = options.photos or (160 if case.device == "cpu" else 1600)  # fewer could not use a GPU's memory
    folder = work / f"photos-{count}-{case.boxes}"
    if not folder.exists():
        fresh = folder.with_suffix(".part")
        shutil.rmtree(fresh, ignore_errors=True)
        cropsort(work, "sample", str(fresh), "--photos", str(count))
        if case.boxes > 2:
            crowd(fresh, case.boxes)
        fresh.rename(folder)
    return folder / "data.yaml"


def crowd(folder: Path, boxes: int) -> None:
    """Repeat the boxes of each label, moved a little: what matters is how many targets the loss has to match."""
    for label in (folder / "labels").rglob("photo-*.txt"):
        rows = label.read_text(encoding="utf-8").splitlines()
        more = []
        for number in range(boxes):
            name, x, y, width, height = rows[number % len(rows)].split()
            moved = [min(max(float(value) + 0.002 * number, 0.15), 0.85) for value in (x, y)]
            more.append(f"{name} {moved[0]:.6f} {moved[1]:.6f} {min(float(width), 0.2)} {min(float(height), 0.2)}")
        label.write_text("\n".join(more) + "\n", encoding="utf-8")


def run_case(case: Case, folder: Path, photos: Path) -> dict[str, Any]:
    """Tune, train two epochs, and read what was predicted and what was taken."""
    data = write_data(case, folder, photos)
    advice = json.loads(cropsort(folder, "tune", "--data", str(data), "--json"))
    begin = time.perf_counter()
    said = cropsort(folder, "train", "--data", str(data))
    state = json.loads((folder / "runs" / case.name / "1" / "run.json").read_text(encoding="utf-8"))
    stages = {}
    for stage, one in advice["stages"].items():
        stages[stage] = {
            **one["fit"],
            "tuned_seconds": one["seconds"],
            "measured_bytes": state[f"{stage}_peak_bytes"],
            "ran_out": said.count(f"{stage}  memory ran out"),
        }
    figures = {"stages": stages, "train_seconds": time.perf_counter() - begin}
    if case.device != "cpu":
        figures["photos_per_second"] = race(case, folder, photos, stages["detector"])
    return figures


def write_data(case: Case, folder: Path, photos: Path) -> Path:
    """A data.yaml that pins what the case pins and nothing else."""
    settings = yaml.safe_load(photos.read_text(encoding="utf-8"))
    kept = {key: settings[key] for key in ("train", "val", "names", "classes_from") if key in settings}
    base = photos.parent / settings.get("path", "")
    detector: dict[str, object] = {"model": case.model, "start": "scratch", "epochs": 2}
    classifier: dict[str, object] = {"start": "scratch", "epochs": 2}
    if case.imgsz:
        detector["imgsz"] = case.imgsz
    if case.crop:
        classifier["imgsz"] = case.crop
    stages = {"detector": detector, "classifier": classifier}
    machine = {"path": str(base), "name": case.name, "memory": case.limit, "device": case.device}
    data = folder / "data.yaml"
    data.write_text(yaml.safe_dump({**kept, **machine, **stages}, allow_unicode=True), encoding="utf-8")
    return data


def cropsort(folder: Path, *arguments: str) -> str:
    """Run the command in a folder, with a cache of its own; its standard output."""
    command = [sys.executable, "-m", "pipeline", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "XDG_CACHE_HOME": str(folder / "cache")}
    folder.mkdir(parents=True, exist_ok=True)
    answer = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if answer.returncode:
        sys.exit(f"{' '.join(command)} in {folder}:\n{answer.stdout}{answer.stderr}")
    return answer.stdout


def race(case: Case, folder: Path, photos: Path, chosen: dict[str, Any]) -> dict[str, Any]:
    """Photos per second of our batch and of auto batch's, in Ultralytics' own trainer, turn by turn."""
    prepared = folder / "race.yaml"
    settings = yaml.safe_load(photos.read_text(encoding="utf-8"))
    copy = folder / "photos"  # Ultralytics writes to what it is given
    shutil.copytree(photos.parent / settings.get("path", ""), copy)
    record = {"path": str(copy)} | {key: settings[key] for key in ("train", "val", "names")}
    prepared.write_text(yaml.safe_dump(record, allow_unicode=True), encoding="utf-8")
    limit = chosen["limit_bytes"]
    rates: dict[str, list[float]] = {"ours": [], "auto": []}
    batches: dict[str, int] = {}
    failures: list[str] = []
    for _ in range(ROUNDS):
        for who, batch in (("ours", chosen["batch"]), ("auto", 0)):
            asked = [case.model, str(prepared), chosen["imgsz"], batch, limit, str(folder / "peer"), int(case.device)]
            command = [sys.executable, "-c", PEER, json.dumps(asked)]
            answer = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
            if answer.returncode == 0:
                batches[who], rate = json.loads(answer.stdout.strip().splitlines()[-1])
                rates[who].append(rate)
            else:
                failures.append(f"{who}: {(answer.stderr.strip().splitlines() or ['no word'])[-1][:100]}")
    return {"rates": rates, "batches": batches, "failures": failures}


def print_case(case: Case, figures: dict[str, Any]) -> None:
    """A row a stage."""
    for stage, one in figures["stages"].items():
        chosen = f"{one['model']} {one['imgsz']} px, batch {one['batch']}"
        predicted, measured = one["peak_bytes"], one["measured_bytes"]
        ratio = f"{measured / predicted:.2f}" if predicted else "-"
        cells = [
            *(case.name, stage, chosen, case.limit, f"{predicted / GB:.2f} GB", f"{measured / GB:.2f} GB", ratio),
            *(f"{measured / one['limit_bytes']:.2f}", str(one["ran_out"]), f"{one['tuned_seconds']:.0f} s"),
        ]
        print(f"| {' | '.join(cells)} |", flush=True)
    if case.told:
        print(f"  document {case.told}")
    race_figures = figures.get("photos_per_second", {"rates": {"ours": []}, "failures": []})
    for failure in race_figures["failures"]:
        print(f"  the race failed for {failure}")
    if all(race_figures["rates"].values()):
        ours, auto = (median(race_figures["rates"][who]) for who in ("ours", "auto"))
        spread = [f"{min(rates):.1f} to {max(rates):.1f}" for rates in race_figures["rates"].values()]
        batches = race_figures["batches"]
        print(
            f"  photos/s with batch {batches['ours']}: {ours:.1f} ({spread[0]}); auto batch {batches['auto']}: ", end=""
        )
        print(f"{auto:.1f} ({spread[1]}); ratio {ours / auto:.2f}", flush=True)


if __name__ == "__main__":
    main()
