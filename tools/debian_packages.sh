#!/bin/sh
# Installs the Debian packages listed in a file, if they are not there and we are root on Debian. Otherwise it says
# so and leaves the rest to the tests, which are then reported as skipped.   debian_packages.sh FILE WHAT-FOR
set -eu
what=$2
missing=""
for package in $(cat "$1"); do
    case $(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null) in
        installed) ;;
        *) missing="$missing $package" ;;
    esac
done
[ -n "$missing" ] || exit 0
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "$what: not installed, and only root on Debian can do it here:$missing"
    exit 0
fi
echo "$what: installing$missing"
export DEBIAN_FRONTEND=noninteractive
# The programs are wanted, not their services on this machine.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
fi
if ! { apt-get update -qq && apt-get install -qq -y --no-install-recommends $missing; }; then
    echo "$what: could not install$missing"
fi
