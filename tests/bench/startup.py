"""Measures dsel's start-up time: its import, its help, its app, and the app's first heat map.

    python tests/bench/startup.py
    python tests/bench/startup.py --run RUN --selector ".detail canvas"

Prints one JSON object. Seconds of import and help are the best of three; the app is started once,
and its page is opened in Chromium, or left out where there is none.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

ROOT = Path(__file__).parents[2]
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
COUNT = "; import sys; print(len(sys.modules))"
HELP = "import contextlib, io\nwith contextlib.redirect_stdout(io.StringIO()):\n    {}\n"
RUN_HELP = (
    "try:\n        from dsel.cli.commands import main; main(['--help'])\n"
    "    except SystemExit: pass"
)
LIMIT_S = 120


def main() -> None:
    options = _options()
    found = {
        "python": _best("pass" + COUNT),
        "import_dsel": _best("import dsel" + COUNT),
        "dsel_help": _best(HELP.format(RUN_HELP) + COUNT.removeprefix("; ")),
        "app": app(options),
    }
    print(json.dumps(found))


def app(options: argparse.Namespace) -> dict[str, float | str]:
    """Seconds from starting the app to its answer, and from opening its page to a heat map."""
    port = _free_port()
    address = f"http://127.0.0.1:{port}"
    command = [sys.executable, "app.py"]
    if options.run:
        command = [
            sys.executable,
            "-m",
            "dsel.cli",
            "app",
            options.run,
            "--port",
            str(port),
        ]
    began = time.perf_counter()
    server = subprocess.Popen(
        command, cwd=ROOT, env=_environment() | {"GRADIO_SERVER_PORT": str(port)},
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        if not _answers(address, server):
            return {"error": _last_line(server)}
        ready = {"http_s": _since(began)}
        return ready | _page(address, options.selector)
    finally:
        server.kill()
        server.wait()
        if server.stderr is not None:
            server.stderr.close()


def _page(address: str, selector: str) -> dict[str, float | str]:
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        return {"page_error": "no Chromium on the PATH"}
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        seconds = [_first_map(browser.new_page(), address, selector) for _ in range(2)]
        browser.close()
    return {"first_map_s": seconds[0], "second_visit_s": seconds[1]}


def _first_map(page: object, address: str, selector: str) -> float:
    began = time.perf_counter()
    page.goto(address)  # type: ignore[attr-defined]
    page.wait_for_selector(selector, timeout=LIMIT_S * 1000)  # type: ignore[attr-defined]
    return _since(began)


def _best(program: str) -> dict[str, float]:
    """The shortest of three times that a program takes, and the modules that it prints."""
    seconds, modules = [], 0
    for _ in range(3):
        began = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-c", program], cwd=ROOT, env=_environment(),
            stdout=subprocess.PIPE, text=True, check=True,
        )  # fmt: skip
        seconds.append(_since(began))
        modules = int(done.stdout.splitlines()[-1])
    return {"seconds": min(seconds), "modules": modules}


def _answers(address: str, server: subprocess.Popen[str]) -> bool:
    deadline = time.monotonic() + LIMIT_S
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with urllib.request.urlopen(address, timeout=5) as answer:
                return answer.status == 200
        except (urllib.error.URLError, OSError):
            time.sleep(0.02)
    return False


def _last_line(server: subprocess.Popen[str]) -> str:
    server.kill()
    told = server.stderr.read() if server.stderr is not None else ""
    return (told.strip().splitlines() or [f"no answer within {LIMIT_S} s"])[-1]


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(ROOT), "GRADIO_ANALYTICS_ENABLED": "False"}


def _since(began: float) -> float:
    return round(time.perf_counter() - began, 3)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", default="", help="run folder; app.py's own if left out")
    parser.add_argument("--selector", default=".detail canvas", help="what the first heat map is")
    return parser.parse_args()


if __name__ == "__main__":
    main()
