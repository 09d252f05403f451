#!/usr/bin/env bash
# Fills the last column of docs/threats.md: which test file covers a row. A test covers a row by naming it
# (threat_B3, or threat_B3_…, in C; threat_B3 in a test's title elsewhere).
set -euo pipefail
cd "$(dirname "$0")/.."
covered() { # ROW -> names of the files that name it
	grep -rlE "threat_$1([^0-9]|\$)" tests --include='*_test.c' --include='*_fuzz.c' --include='*.test.mjs' --include='*_test.sh' 2>/dev/null |
		sed -E 's#^tests/##; s#\.test\.mjs$##; s#\.(c|sh)$##' | sort | sed 's/.*/`&`/' | paste -sd, | sed 's/,/, /g' || true
}
scratch=$(mktemp)
trap 'rm -f "$scratch"' EXIT
without=0
while IFS= read -r line; do
	if [[ $line =~ ^'| '([A-H][0-9]+)' |' ]]; then
		tests=$(covered "${BASH_REMATCH[1]}")
		[ -n "$tests" ] || without=$((without + 1))
		line="$(sed -E 's/^(.*\|)[^|]*\|$/\1/' <<<"$line") ${tests:-none yet} |"
	fi
	printf '%s\n' "$line"
done <docs/threats.md >"$scratch"
cat "$scratch" >docs/threats.md
echo "docs/threats.md: $(grep -cE '^\| [A-H][0-9]+ ' docs/threats.md) rows, $without without a test"
