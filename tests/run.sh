#!/usr/bin/env bash
# Runs every check of dsel, for people and for CI alike: bash tests/run.sh [pytest arguments]
#
# Makes a virtual environment in .venv-test, unless one with dsel's test extra is active, and looks
# for a Chromium, or installs one. Ends with an error at the first check that fails.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
ENVIRONMENT=.venv-test

section() { printf '\n== %s\n' "$1"; }
fail() { printf 'tests/run.sh: %s\n' "$1" >&2; exit 1; }

# A name on the PATH may be a stub that runs nothing, so each is tried.
find_python() {
    local name
    for name in python3.11 python3.12 python3.13 python3 python; do
        if "$name" -c 'import sys, venv; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' \
            >/dev/null 2>&1; then
            command -v "$name"
            return
        fi
    done
    fail "no Python between 3.11 and 3.13 is on the PATH"
}

# The environment that is active has all that the test extra asks for.
is_ready() {
    [ -n "${VIRTUAL_ENV:-}" ] && python - >/dev/null 2>&1 <<'PYTHON'
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path
from packaging.requirements import Requirement

if sys.prefix == sys.base_prefix:
    sys.exit(1)
project = tomllib.loads(Path("pyproject.toml").read_text())["project"]
wanted = project["dependencies"] + project["optional-dependencies"]["test"]
for requirement in map(Requirement, wanted):
    if version(requirement.name) not in requirement.specifier:
        sys.exit(1)
PYTHON
}

make_environment() {
    local stamp=$ENVIRONMENT/pyproject.sha256 wanted
    wanted=$(cksum <pyproject.toml)
    if [ "$(cat "$stamp" 2>/dev/null)" != "$wanted" ]; then
        local python
        python=$(find_python)
        echo "$python -m venv $ENVIRONMENT"
        "$python" -m venv --clear "$ENVIRONMENT"
        "$ENVIRONMENT/bin/python" -m pip install -qq --progress-bar off -e ".[test]"
        echo "$wanted" >"$stamp"
    fi
    # shellcheck disable=SC1091
    source "$ENVIRONMENT/bin/activate"
}

find_chromium() {
    local name
    for name in chromium chromium-browser google-chrome; do
        if "$name" --version >/dev/null 2>&1; then
            command -v "$name"
            return
        fi
    done
}

# The tests look for it on the PATH, so the one that playwright brings is linked there.
install_chromium() {
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        export DEBIAN_FRONTEND=noninteractive
        apt-get update -qq && apt-get install -y -qq chromium >/dev/null && return
    fi
    python -m playwright install chromium
    python - <<'PYTHON'
import sys
from pathlib import Path
from playwright.sync_api import sync_playwright

link = Path(sys.prefix, "bin", "chromium")
link.unlink(missing_ok=True)
with sync_playwright() as playwright:
    link.symlink_to(playwright.chromium.executable_path)
PYTHON
}

section "Python environment"
if is_ready; then
    echo "using the active one, $VIRTUAL_ENV"
else
    make_environment
fi
python --version
python -m pip --version >/dev/null && python -c 'import torch; print("torch", torch.__version__)'

section "Chromium"
[ -n "$(find_chromium)" ] || install_chromium
[ -n "$(find_chromium)" ] || fail "no Chromium is on the PATH, and none could be installed"
find_chromium
export DSEL_REQUIRE_BROWSER=1

# The code must be the checkout's, and no test may reach for the network or for all processors.
export PYTHONPATH="$PWD${PYTHONPATH:+:$PYTHONPATH}"
export HF_HUB_OFFLINE=1 GRADIO_ANALYTICS_ENABLED=False OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}"

section "ruff check"
python -m ruff check dsel tests app.py

section "ruff format --check"
python -m ruff format --check dsel tests app.py

section "mypy"
python -m mypy

section "pytest"
python -m pytest "$@"

section "all checks passed"
