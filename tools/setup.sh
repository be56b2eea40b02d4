#!/bin/bash
# Makes the virtual environment .venv with wlnet in it, once. `tools/setup.sh run` for running the server,
# `tools/setup.sh dev` for the checks and tests as well. On Debian, root also gets what Python itself lacks.
set -euo pipefail
cd "$(dirname "$0")/.."

kind=${1:?run or dev}
stamp=.venv/.wlnet-$kind
if [ -e "$stamp" ] && [ "$stamp" -nt setup.cfg ] && [ "$stamp" -nt pyproject.toml ] && .venv/bin/python -c 'import wlnet'; then
    exit 0
fi

new_enough='import sys; sys.exit(sys.version_info < (3, 11))'
can_make_environments='import ensurepip, venv'

find_python() {
    local candidate
    for candidate in ${PYTHON:-} python3 python3.14 python3.13 python3.12 python3.11; do
        if "$candidate" -c "$new_enough" 2>/dev/null && "$candidate" -c "$can_make_environments" 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
    return 1
}

if ! python=$(find_python); then
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        echo "wlnet needs Python 3.11 or newer with its venv module (Debian: apt-get install python3 python3-venv)" >&2
        exit 1
    fi
    echo "Installing python3 and python3-venv"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    apt-get install -qq -y --no-install-recommends python3 python3-venv >/dev/null
    if ! python=$(find_python); then
        echo "this system's python3 is older than 3.11; set PYTHON to a newer one" >&2
        exit 1
    fi
fi

if ! .venv/bin/python -c "$new_enough; import pip" 2>/dev/null; then
    echo "Making .venv with $("$python" --version)"
    rm -rf .venv
    "$python" -m venv .venv
fi

what=.
[ "$kind" = dev ] && what='.[dev]'
echo "Installing wlnet and what it needs into .venv"
# Twisted finds plugins by listing folders, which the default kind of editable installation does not allow.
.venv/bin/python -m pip install --quiet --disable-pip-version-check --root-user-action=ignore \
    --editable "$what" --config-settings editable_mode=compat
touch "$stamp"
