#!/usr/bin/env bash
# Every C file looks as clang-format leaves it (.clang-format): clang-format -i FILE mends one.
#
#   tests/form_test.sh
set -euo pipefail
cd "$(dirname "$0")/.."
bad=$(git ls-files '*.c' '*.h' | xargs clang-format --dry-run 2>&1 | sed -nE 's/^([^ :]+):[0-9]+:[0-9]+: .*/\1/p' | sort -u)
for file in $bad; do
	echo "not ok form: $file: clang-format -i $file"
done
[ -z "$bad" ] || exit 1
echo "ok form: every C file is as clang-format leaves it"
