#!/usr/bin/env bash
# Renews the locked versions: bash tests/lock.sh [--upgrade | --upgrade-package NAME]
#
# Writes the versions of everything that dsel needs to requirements.txt, and of what the test extra
# adds to tests/requirements.txt. Versions that pyproject.toml still allows stay as they are, unless
# an option asks for the newest. README's sdk_version follows gradio. Needs uv: pip install uv
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

command -v uv >/dev/null || { echo "tests/lock.sh: needs uv: pip install uv" >&2; exit 1; }
new=$(mktemp -d)
trap 'rm -r "$new"' EXIT

# One version for every Python and platform, where one works for all of them. uv prefers those that
# the output file names already.
compile() {
    local out=$1
    shift
    uv pip compile pyproject.toml --output-file "$out" --quiet --universal --python-version 3.11 \
        --fork-strategy fewest --no-header --no-annotate "$@" >/dev/null
}

# torch itself names the CUDA libraries that it needs, and does so only on machines that need them.
without_cuda() {
    grep -vE '^(cuda|nvidia|triton)\b' "$1"
}

# A Hugging Face Space installs these as well, and they must accept the same versions.
printf '%s\n' 'gradio[oauth,mcp]' 'uvicorn>=0.14' 'websockets>=10.4' spaces >"$new/space.in"

cp requirements.txt "$new/space"
cp requirements.txt "$new/runtime"
cp tests/requirements.txt "$new/test"
compile "$new/space" "$new/space.in" "$@"
compile "$new/runtime" --constraints "$new/space" "$@"
compile "$new/test" --extra test --constraints "$new/runtime" "$@"

{
    echo "# The versions that dsel is tested with. Written by tests/lock.sh."
    without_cuda "$new/runtime"
} >requirements.txt
{
    echo "# What the test extra adds to requirements.txt. Written by tests/lock.sh."
    grep -vxFf "$new/runtime" "$new/test"
} >tests/requirements.txt

gradio=$(sed -n 's/^gradio==//p' requirements.txt)
sed "s/^sdk_version: .*/sdk_version: $gradio/" README.md >"$new/readme"
cat "$new/readme" >README.md
