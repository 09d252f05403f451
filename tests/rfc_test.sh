#!/usr/bin/env bash
# What docs/rfc.md names is there: its functions and files in the sources, its tests in tests/.
#
#   tests/rfc_test.sh
set -euo pipefail
cd "$(dirname "$0")/.."
named=0
missing=0
miss() { echo "    docs/rfc.md names $1, which is not there" && missing=$((missing + 1)); }
is_test() {
	case $1 in
	e2e/*) [ -e "tests/$1.test.mjs" ] ;;
	*) [ -e "tests/$1_test.c" ] ;;
	esac
}
is_source() {
	[ -n "$(find actors protocol gateway docs -name "${1##*/}" -print -quit)" ] ||
		grep -rqwE "$1" actors protocol gateway --include='*.[ch]' --include='*.def'
}
# The last column holds tests, the one before it functions, files and words for operators.
while IFS='|' read -r _ _ _ where tests _; do
	for name in $(grep -oE '`[a-z0-9_/]+`' <<<"$tests" | tr -d '`'); do
		named=$((named + 1))
		is_test "$name" || miss "$name"
	done
	for name in $(grep -oE '`[a-z0-9_./]+`' <<<"$where" | tr -d '`'); do
		named=$((named + 1))
		is_source "$name" || miss "$name"
	done
done < <(grep -E '^\| ' docs/rfc.md | grep -vE '^\| (§|RFC, §) ' | sed -E 's/`\\\|`//g')
if [ "$missing" -gt 0 ] || [ "$named" -lt 100 ]; then
	echo "not ok rfc: $missing of $named names in docs/rfc.md are not there"
	exit 1
fi
echo "ok rfc: all $named names in docs/rfc.md are there"
