#!/bin/sh
# Installs what the end-to-end test needs (packages.txt) on Debian, if it is not there and we are root.
# Otherwise it says so and leaves the rest to the test, which is then reported as skipped.
set -eu
folder=$(dirname "$0")
missing=""
for package in $(cat "$folder/packages.txt"); do
    case $(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null) in
        installed) ;;
        *) missing="$missing $package" ;;
    esac
done
[ -n "$missing" ] || exit 0
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "end-to-end test: not installed, and only root on Debian can do it here:$missing"
    exit 0
fi
echo "end-to-end test: installing$missing"
export DEBIAN_FRONTEND=noninteractive
if ! { apt-get update -qq && apt-get install -qq -y --no-install-recommends $missing; }; then
    echo "end-to-end test: could not install$missing"
fi
