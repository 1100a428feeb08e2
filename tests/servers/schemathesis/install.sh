#!/usr/bin/env bash
# Brings Schemathesis, which the tests let loose on the API, out of PyPI into the user's cache folder, with all that it needs at the
# versions of requirements.txt. Needs pip.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
version=$(cat "$here/version")
folder=${XDG_CACHE_HOME:-$HOME/.cache}/portcullis-tests/schemathesis-$version
[ ! -x "$folder/bin/schemathesis" ] || exit 0

mkdir -p "$(dirname "$folder")"
building=$(mktemp -d "$folder.XXXXXX")
trap 'rm -rf "$building"' EXIT
python3 -m pip install --quiet --no-deps --only-binary :all: --target "$building" --requirement "$here/requirements.txt"
chmod 755 "$building"
mv -T "$building" "$folder"
