#!/usr/bin/env bash
# Runs every check of dsel, for people and for CI alike:
#
#     bash tests/run.sh [--newest] [pytest arguments]
#
# Installs the locked versions of all libraries into .venv-test, unless they are in the environment
# that is active, and looks for a Chromium, or installs one. Ends with an error at the first check
# that fails.
#
# With --newest, installs the newest versions that pyproject.toml allows into .venv-newest instead,
# runs every check, and reports which versions differ from the locked ones and which checks fail.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

LOCKS=(requirements.txt tests/requirements.txt)
NEWEST=false
if [ "${1:-}" = --newest ]; then
    NEWEST=true
    shift
fi
FAILED=()

section() { printf '\n== %s\n' "$1"; }
fail() { printf 'tests/run.sh: %s\n' "$1" >&2; exit 1; }

# A check is a name and a command.
check() {
    local name=$1 status=0
    shift
    section "$name"
    "$@" || status=$?
    if [ "$status" != 0 ]; then
        $NEWEST || exit "$status"
        FAILED+=("$name")
    fi
}

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

# A line for each library whose version is not the locked one.
differences() {
    python - "${LOCKS[@]}" <<'PYTHON'
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from packaging.requirements import Requirement

for path in sys.argv[1:]:
    for line in Path(path).read_text("utf-8").splitlines():
        if line.startswith("#"):
            continue
        locked = Requirement(line)
        if locked.marker and not locked.marker.evaluate():
            continue
        try:
            found = version(locked.name)
        except PackageNotFoundError:
            found = None
        if found is None or found not in locked.specifier:
            print(f"{locked.name} {found or 'missing'}, locked: {locked.specifier}")
PYTHON
}

# The environment that is active has exactly the locked versions.
is_ready() {
    [ -n "${VIRTUAL_ENV:-}" ] \
        && python -c 'import sys; sys.exit(sys.prefix == sys.base_prefix)' \
        && [ -z "$(differences 2>&1)" ]
}

# Takes the folder, and arguments of pip.
make_environment() {
    local folder=$1 python
    shift
    python=$(find_python)
    echo "$python -m venv $folder"
    "$python" -m venv --clear "$folder"
    "$folder/bin/python" -m pip install -qq --progress-bar off "$@" -e ".[test]"
}

use_locked() {
    local folder=.venv-test wanted
    wanted=$(cat pyproject.toml "${LOCKS[@]}" | cksum)
    if is_ready; then
        echo "using the active one, $VIRTUAL_ENV"
        return
    fi
    if [ "$(cat "$folder/locked.cksum" 2>/dev/null)" != "$wanted" ]; then
        make_environment "$folder" "${LOCKS[@]/#/--constraint=}"
        echo "$wanted" >"$folder/locked.cksum"
    fi
    # shellcheck disable=SC1091
    source "$folder/bin/activate"
}

use_newest() {
    make_environment .venv-newest
    # shellcheck disable=SC1091
    source .venv-newest/bin/activate
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

report_newest() {
    section "the newest versions that pyproject.toml allows"
    local changed
    changed=$(differences)
    printf '%s\n' "${changed:-all are the locked ones}"
    if [ ${#FAILED[@]} != 0 ]; then
        fail "checks that fail with these versions: $(IFS=,; echo "${FAILED[*]}")"
    fi
}

section "Python environment"
if $NEWEST; then use_newest; else use_locked; fi
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

if $NEWEST; then check "pip check" python -m pip check; fi
check "ruff check" python -m ruff check dsel tests app.py
check "ruff format --check" python -m ruff format --check dsel tests app.py
check "mypy" python -m mypy
check "import-linter" lint-imports
check "page" bash tests/page/check.sh
check "pytest" python -m pytest -n 2 --dist loadfile "$@"
if $NEWEST; then report_newest; fi

section "all checks passed"
