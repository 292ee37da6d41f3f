"""Memory that decoding takes, measured in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

SIDE = 6000
MEGABYTE = 1 << 20

MEASURE = """
import sys
from pathlib import Path
from dsel.data.images import decode, to_proxy

def peak():
    # Not getrusage, whose peak includes that of the process which started this one.
    status = Path("/proc/self/status").read_text()
    return 1024 * int(status.split("VmHWM:")[1].split()[0])

small, large = map(Path, sys.argv[1:])
to_proxy(decode(small), 128, "whole", 32)
before = peak()
pixels = decode(large)
decoded = peak()
to_proxy(pixels, 128, "whole", 32)
print(decoded - before, peak() - before)
"""


def saved(path: Path, mode: str, side: int) -> Path:
    """An image of one colour, transparent where the mode can be."""
    options = {"transparency": 0} if mode == "P" else {}
    Image.new(mode, (side, side)).save(path, **options)
    return path


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize(
    ("mode", "suffix", "stored"),
    [("P", "png", 1), ("L", "png", 1), ("I;16", "png", 2), ("RGBA", "png", 4), ("F", "tiff", 4)],
)
def test_decode__memory_is_bounded(tmp_path: Path, mode: str, suffix: str, stored: int) -> None:
    """Pillow's copy in the mode of the file, and 3 bytes of RGB; 60 MB are for strips."""
    files = [saved(tmp_path / f"{side}.{suffix}", mode, side) for side in (64, SIDE)]
    result = subprocess.run(
        [sys.executable, "-c", MEASURE, *map(str, files)],
        capture_output=True,
        text=True,
        check=True,
    )
    decoding, scaling = map(int, result.stdout.split())
    file_bytes = files[1].stat().st_size
    assert decoding <= (stored + 3) * SIDE**2 + file_bytes + 60 * MEGABYTE
    assert scaling <= (max(stored, 2) + 3) * SIDE**2 + file_bytes + 60 * MEGABYTE
