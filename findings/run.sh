#!/usr/bin/env bash
# Runs all findings, or those that are named, and says which do not hold any more.
set -uo pipefail
cd "$(dirname "$0")"
[ $# -gt 0 ] || set -- $(ls ./*.sh | grep -v '^\./run\.sh$')
changed=0
for script in "$@"; do
  name=$(basename "$script" .sh)
  echo "== $name"
  bash "$name.sh" || { echo "changed: $name"; changed=1; }
done
exit $changed
