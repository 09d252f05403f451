#!/usr/bin/env bash
# Fills the last two columns of docs/threats.md: which test file covers a row, and over which transports bad input of
# that row is sent end to end. A test covers a row by naming it (threat_B3, or threat_B3_…, in C; threat_B3 in a test's
# title elsewhere); the transports are in the names that the tables in tests/e2e/rows/ make.
set -euo pipefail
cd "$(dirname "$0")/.."
covered() { # ROW -> names of the files that name it
	{
		grep -rlE "threat_$1([^0-9]|\$)" tests --include='*_test.c' --include='*_fuzz.c' --include='*.test.mjs' --include='*_test.sh' 2>/dev/null |
			sed -E 's#^tests/##; s#\.test\.mjs$##; s#\.(c|sh)$##' || true
		awk -v row="threat_$1" '$2 == row { print "e2e/" $1 }' "$names"
	} | sort -u | sed 's/.*/`&`/' | paste -sd, | sed 's/,/, /g'
}
over() { # ROW -> the transports, in the order in which they always stand
	local transport
	for transport in udp tcp tls dtls; do
		if grep -qE " threat_$1 .*, over $transport\$" "$names"; then echo "$transport"; fi
	done | paste -sd, | sed 's/,/, /g'
}
names=$(mktemp) # FILE threat_ROW …, over TRANSPORT
scratch=$(mktemp)
trap 'rm -f "$names" "$scratch"' EXIT
node tests/e2e/rows/names.mjs >"$names"
without=0
while IFS= read -r line; do
	if [[ $line =~ ^'| '([A-H][0-9]+)' | '[^|]*' | '[^|]*' |' ]]; then
		tests=$(covered "${BASH_REMATCH[1]}")
		[ -n "$tests" ] || without=$((without + 1))
		line="${BASH_REMATCH[0]} ${tests:-none yet} | $(over "${BASH_REMATCH[1]}") |"
	fi
	printf '%s\n' "$line"
done <docs/threats.md >"$scratch"
sed -E 's/ +\|$/ |/; s/\|  \|$/| |/' "$scratch" >docs/threats.md
echo "docs/threats.md: $(grep -cE '^\| [A-H][0-9]+ ' docs/threats.md) rows, $without without a test"
