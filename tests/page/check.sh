#!/usr/bin/env bash
# Runs the checks of the page's modules: bash tests/page/check.sh
#
# Installs the pinned tools, then runs the linter with the format check, the type checker, and the unit tests.
# Without Node.js the checks are left out, except where CI is set: there it is an error.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

if ! node --version >/dev/null 2>&1 || ! npm --version >/dev/null 2>&1; then
    if [ -n "${CI:-}" ]; then
        echo "tests/page/check.sh: Node.js 20 or newer and npm are needed" >&2
        exit 1
    fi
    echo "tests/page/check.sh: left out, since Node.js and npm are not on the PATH"
    exit 0
fi

# The lock file is unchanged since the last installation where npm left its own copy newer than it.
if [ ! -e node_modules/.package-lock.json ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then
    npm ci --no-audit --no-fund --loglevel=error
fi
npm run --silent lint
npm run --silent types
npm run --silent test
