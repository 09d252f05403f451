#!/usr/bin/env bash
# Every SEALED field of protocol/events.def stands in docs/data-flow.md, and nothing stands there that is no such field.
#
#   tests/data_flow_test.sh
set -euo pipefail
cd "$(dirname "$0")/.."
fields=$(mktemp)
listed=$(mktemp)
trap 'rm -f "$fields" "$listed"' EXIT
awk '
	/^EVENT\(/ { split($0, part, ","); name = part[2]; gsub(/ /, "", name) }
	{
		line = $0
		while (match(line, /F\([A-Z0-9]+, SEALED[01], [a-z_]+\)/)) {
			field = substr(line, RSTART, RLENGTH)
			line = substr(line, RSTART + RLENGTH)
			sub(/.*, /, "", field); sub(/\)/, "", field)
			print name " " field
		}
	}' protocol/events.def | sort >"$fields"
sed -n '/^## Every personal field/,/^## What the operator/s/^| `\([a-z_]*\)` | `\([a-z_]*\)` |.*/\1 \2/p' docs/data-flow.md | sort >"$listed"
[ "$(wc -l <"$fields")" -gt 20 ] || { echo "not ok data flow: no fields found in protocol/events.def" && exit 1; }
if diff "$fields" "$listed"; then
	echo "ok data flow: all $(wc -l <"$fields") personal fields are in docs/data-flow.md"
else
	echo "not ok data flow: < is missing in docs/data-flow.md, > is no personal field"
	exit 1
fi
