#!/usr/bin/env bash
# Builds the stand-in for MongoDB that the tests start, once for each version in pom.xml (raise that with every change
# here), into the user's cache folder. Needs Maven and a Java compiler, version 17 or newer.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
version=$(sed -n 's|^  <version>\(.*\)</version>|\1|p' "$here/pom.xml")
folder=${XDG_CACHE_HOME:-$HOME/.cache}/portcullis-tests/mongo-java-$version
[ ! -x "$folder/mongo-java-server" ] || exit 0

mkdir -p "$(dirname "$folder")"
building=$(mktemp -d "$folder.XXXXXX")
trap 'rm -rf "$building"' EXIT
mvn -q -B -f "$here/pom.xml" dependency:copy-dependencies -DoutputDirectory="$building/lib"
javac -d "$building/classes" -cp "$building/lib/*" "$here/MongoServerMain.java"
cat >"$building/mongo-java-server" <<'SCRIPT'
#!/bin/sh
folder=$(dirname "$0")
exec java -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Xmx256m -cp "$folder/classes:$folder/lib/*" MongoServerMain "$@"
SCRIPT
chmod 755 "$building" "$building/mongo-java-server"
mv -T "$building" "$folder"
