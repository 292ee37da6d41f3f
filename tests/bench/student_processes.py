"""Measures how many training steps a second some processes take together on one device.

    python tests/bench/student_processes.py --processes 1 12
    python tests/bench/student_processes.py --processes 1 2 --student convnet-3 --image-px 32

Each process trains one student as `dsel evaluate --workers` does, on a set of its own; all begin
together, once each has loaded and warmed up. Start NVIDIA's MPS before to measure with it. Prints
one JSON object; `late_s` is above 0 where a process was ready after the start, so that its rate is
too high: give more --lead-s then.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT)]  # the checkout's own dsel, installed or not

CLASSES = 10
IMAGES = 100
WARM_UP = 20  # steps
CHECK_EVERY = 10  # steps; waits for the device


def main() -> None:
    options = _options()
    if options.begin:
        print(json.dumps(train(options)))
        return
    import torch

    on_gpu = torch.cuda.is_available()
    found = {
        "device": torch.cuda.get_device_name() if on_gpu else "cpu",
        "torch": torch.__version__,
        "options": vars(options),
        "measured": [together(count, options) for count in options.processes],
    }
    print(json.dumps(found, indent=2))


def together(count: int, options: argparse.Namespace) -> dict[str, float]:
    """Run so many processes at once; returns the sum of their rates."""
    command = [
        sys.executable, __file__, "--begin", str(time.time() + options.lead_s),
        "--seconds", str(options.seconds), "--student", options.student,
        "--image-px", str(options.image_px), "--precision", options.precision,
    ]  # fmt: skip
    started = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(count)]
    each = [json.loads(process.communicate()[0]) for process in started]
    return {
        "processes": count,
        "steps_per_s": round(sum(one["steps_per_s"] for one in each), 2),
        "late_s": round(max(one["late_s"] for one in each), 2),
    }


def train(options: argparse.Namespace) -> dict[str, float]:
    """Train from the given time on for some seconds; returns the rate."""
    import torch

    from dsel.config.evaluate import EvaluateSettings
    from dsel.students.batches import Data
    from dsel.students.models import build_student
    from dsel.students.recipes import recipe_of
    from dsel.students.training import choose_device, training_steps

    torch.set_num_threads(1)
    settings = EvaluateSettings(student=options.student, precision=options.precision)
    recipe, device, px = recipe_of(settings), choose_device(), options.image_px
    images = torch.randint(0, 256, (IMAGES, 3, px, px), dtype=torch.uint8, device=device)
    data = Data(images, torch.eye(CLASSES, device=device).repeat(IMAGES // CLASSES, 1))
    model = build_student(options.student, CLASSES, px, seed=0)
    model = model.to(device, memory_format=torch.channels_last)
    for _, loss in training_steps(model, data, recipe, WARM_UP, seed=0):
        loss.item()
    late = time.time() - options.begin
    time.sleep(max(0.0, -late))
    began = time.perf_counter()
    for step, loss in training_steps(model, data, recipe, 1_000_000, seed=1):
        if step % CHECK_EVERY == 0:
            loss.item()
            if time.perf_counter() - began > options.seconds:
                break
    return {"steps_per_s": step / (time.perf_counter() - began), "late_s": late}


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 4, 12])
    parser.add_argument("--student", default="convnet-4")
    parser.add_argument("--image-px", type=int, default=64)
    parser.add_argument("--precision", default="auto", choices=("auto", "float32", "bfloat16"))
    parser.add_argument("--seconds", type=float, default=4.0, help="of training, at least")
    parser.add_argument("--lead-s", type=float, default=20.0, help="for loading and warming up")
    parser.add_argument("--begin", type=float, default=0.0, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
