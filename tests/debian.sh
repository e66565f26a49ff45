#!/bin/sh
# Install Debian packages that tests use, where that is possible; tests skip what is missing.
#   sh tests/debian.sh PACKAGE...
set -u
missing=
for package in "$@"; do
  dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing="$missing $package"
done
[ -n "$missing" ] || exit 0
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
  echo "not installed, tests that need them skip:$missing" >&2
  exit 0
fi
export DEBIAN_FRONTEND=noninteractive
apt-get -qq -o Acquire::Retries=1 update >/dev/null 2>&1
# shellcheck disable=SC2086 # a list of words
apt-get -qq install -y --no-install-recommends $missing >/dev/null 2>&1 ||
  echo "could not install, tests that need them skip:$missing" >&2
exit 0
