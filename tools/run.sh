#!/bin/bash
# Runs the server in the foreground from this folder: settings in wlnet.toml, data in var/.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ ! -e wlnet.toml ]; then
    .venv/bin/wlnet config init --output wlnet.toml --set server.state_dir=var
fi
exec .venv/bin/twistd --nodaemon --pidfile= wlnet --config wlnet.toml "$@"
