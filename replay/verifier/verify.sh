#!/bin/sh
# Checks an export bundle of an ifswarm log with what every Debian has: a POSIX shell, openssl, coreutils (base64,
# basenc, comm, cut, date, head, join, od, paste, seq, sha256sum, sort, split, tail, tr, uniq, wc), sed, grep, find and xargs.
#
#   verify.sh [--log-key KEY] [--export-key KEY] [--policy FILE] [--tsa-ca FILE] [FOLDER]
#
# FOLDER: where the bundle was unpacked (tar xf; default: the folder above this file). KEY: a verifier key, or a file
# that holds it. The log's key decides: have it from elsewhere, not from the bundle. --policy: the witnesses whose word
# counts, and their quorum (C2SP tlog-policy); --tsa-ca: certificates (PEM) that timestamps must chain to. Without them
# cosignatures are not judged, and of timestamps only what they are over. Every break is a line BREAK with what, where,
# expected, found; the last line is HOLDS or DOES NOT HOLD; exit code 0 or 1, 2 when called wrongly.
#
# A tree is hashed level by level: all nodes of a level are written into one stream, cut into files of 65 bytes, and
# hashed by one sha256sum. So the number of processes grows with the tree's height, not with its leaves.
set -u
LC_ALL=C
export LC_ALL
umask 077

usage() { sed -n '2,/^set/s/^# \{0,1\}//p' "$0" | sed '$d'; }
given_log='' given_export='' policy='' authority=''
whole() { # A file that is read from another folder.
	[ -r "$1" ] || { echo "verify.sh: $1 cannot be read" >&2 && exit 2; }
	case $1 in /*) echo "$1" ;; *) echo "$PWD/$1" ;; esac
}
while [ $# -gt 0 ]; do
	case $1 in
	--log-key) given_log=${2-} && shift ;;
	--export-key) given_export=${2-} && shift ;;
	--policy) policy=$(whole "${2-}") || exit 2 && shift ;;
	--tsa-ca) authority=$(whole "${2-}") || exit 2 && shift ;;
	-h | --help) usage && exit 0 ;;
	-*) usage >&2 && exit 2 ;;
	*) break ;;
	esac
	shift
done
[ ! -f "$given_log" ] || given_log=$(cat "$given_log")
[ ! -f "$given_export" ] || given_export=$(cat "$given_export")
cd "${1:-$(dirname "$0")/..}" || exit 2
work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT
trap 'exit 2' HUP INT TERM
mkdir "$work/pieces"

breaks=0 first=''
# Bytes from outside never drive a terminal.
say() { # WHAT WHERE EXPECTED FOUND
	line="$1, $2, expected $3, found $4"
	case $line in *[!\ -~]*) line=$(printf '%s' "$line" | head -c 600 | tr -c ' -~' '?') ;; esac
	[ "$breaks" -gt 0 ] || first=$line
	breaks=$((breaks + 1))
	echo "BREAK $line"
}
same() { [ "$3" = "$4" ] || say "$@"; } # WHAT WHERE EXPECTED FOUND
before=0
ok() { [ "$breaks" -ne "$before" ] || echo "ok $*"; before=$breaks; }
finish() {
	[ "$breaks" -gt 0 ] || { echo HOLDS && exit 0; }
	echo "DOES NOT HOLD: $first ($breaks breaks in all)"
	exit 1
}
is_number() { case $1 in '' | *[!0-9]* | 0?* | ???????????????????*) return 1 ;; esac; }

# --- Bytes and hashes ----------------------------------------------------------------------------------------
to_hex() { basenc --base16 -w64 | tr A-F a-f; }
from_hex() { tr a-f A-F | basenc -d --base16; }
sum() { sha256sum "$@" | cut -c1-64; }
# The hash of each file in $work/pieces, in order; they are gone afterwards.
sum_all() (
	cd "$work/pieces" || exit
	set -- *
	if [ $# -le 4096 ]; then sha256sum "$@"; else printf '%s\n' "$@" | xargs sha256sum; fi | cut -c1-64
	find . -type f -delete
)
# Cuts a stream into pieces of this many bytes, and gives the hash of each.
sum_pieces() { split -a 5 -b "$1" - "$work/pieces/" && sum_all; }
# Lines of hashes become lines of half as many.
pairs() { sed 'N;s/\n//;s/^/01/;y/abcdef/ABCDEF/' "$1" | basenc -d --base16 | sum_pieces 65; }
# The root over $1 hashes, a power of two, for each $1 lines.
fold() {
	fold_width=$1
	cat >"$work/fold.$1"
	while [ "$fold_width" -gt 1 ]; do
		pairs "$work/fold.$fold_width" >"$work/fold.$((fold_width / 2))"
		fold_width=$((fold_width / 2))
	done
	cat "$work/fold.1"
}
node() {
	node_hash=$(printf '01%s%s' "$1" "$2" | from_hex | sha256sum)
	echo "${node_hash%% *}"
}

# --- Keys and signed notes -----------------------------------------------------------------------------------
# NAME KEY [KIND WHERE]: a verifier key of C2SP signed-note becomes a DER file. Kind 01 signs its log, 04 cosigns others.
take_key() {
	printf '%s' "$2" | cut -d+ -f3- | base64 -d >"$work/raw" 2>/dev/null
	key_id=$({ printf '%s\n' "$2" | cut -d+ -f1 && cat "$work/raw"; } | sum | cut -c1-8)
	if [ "$(wc -c <"$work/raw")" -ne 33 ] || [ "$(head -c 1 "$work/raw" | to_hex)" != "${3-01}" ] ||
		[ "$(printf '%s' "$2" | cut -d+ -f2)" != "$key_id" ]; then
		say 'a verifier key cannot be read' "${4-manifest.json}" 'name+hash+base64' "$2"
		finish
	fi
	# The 12 bytes that RFC 8410 puts before an Ed25519 public key.
	{ printf '\060\052\060\005\006\003\053\145\160\003\041\000' && tail -c 32 "$work/raw"; } >"$work/$1.der"
	printf '%s' "$key_id" >"$work/$1.id"
	printf '%s' "$2" | cut -d+ -f1 >"$work/$1.name"
}
# KEY TEXT SIGNATURE
signed() {
	[ "$(wc -c <"$3")" -eq 64 ] && openssl pkeyutl -verify -pubin -keyform DER -inkey "$work/$1.der" -rawin -in "$2" \
		-sigfile "$3" >/dev/null 2>&1
}
# KEY FILE WHERE: a note over three lines; they are left in $work/text.
note() {
	head -n 3 "$2" >"$work/text"
	sed -n "5,\$p" "$2" >"$work/signatures"
	if [ "$(sed -n 4p "$2")" != '' ] || grep -Eqv '^— [^ ]+ [A-Za-z0-9+/]+=*$' "$work/signatures"; then
		say 'not a signed note' "$3" 'three lines, an empty one, signatures' "$(head -n 5 "$2")"
		return 1
	fi
	grep -F "— $(cat "$work/$1.name") " "$work/signatures" | cut -d' ' -f3 >"$work/lines"
	while read -r line; do
		printf '%s' "$line" | base64 -d >"$work/blob" 2>/dev/null
		[ "$(head -c 4 "$work/blob" | to_hex)" = "$(cat "$work/$1.id")" ] || continue
		tail -c +5 "$work/blob" >"$work/sig"
		signed "$1" "$work/text" "$work/sig" && return 0
		break
	done <"$work/lines"
	say 'a signature does not hold' "$3" "Ed25519 by $(cat "$work/$1.name")" 'none that verifies'
	return 1
}
# A value of the manifest or the range proof: on a line of its own, once.
value() { sed -n "s/^ \"$2\": \"\{0,1\}\([^\"]*[^\",]\)\"\{0,1\},\{0,1\}\$/\1/p" "$1"; }

# --- The files -----------------------------------------------------------------------------------------------
check_files() {
	find . ! -type d ! -type f >"$work/odd"
	[ ! -s "$work/odd" ] || say 'not a plain file' "$(head -n 1 "$work/odd")" 'files and folders only' 'a link, device or pipe'
	find . -type f | sed 's|^\./||' | sort >"$work/names"
	if grep -Evq '^[A-Za-z0-9._/-]+$' "$work/names"; then
		say 'a name that no file of a bundle has' folder 'letters, digits, ._-/' "$(grep -Ev '^[A-Za-z0-9._/-]+$' "$work/names" | head -n 1)"
		finish
	fi
	grep -Evx 'SHA256SUMS|manifest\.json(\.note|\.sig|\.tsr)?|custody\.jsonl' "$work/names" >"$work/listed"
	for name in SHA256SUMS manifest.json manifest.json.note manifest.json.sig log/checkpoint proofs/range.json data/events.jsonl data/omissions.jsonl; do
		[ -f "$name" ] || { say 'a file is missing' "$name" 'a file' none && finish; }
	done
	xargs sha256sum <"$work/listed" | sort >"$work/sums"
	sort SHA256SUMS >"$work/stated"
	comm -3 "$work/stated" "$work/sums" | sed 's/^\t\(.\{64\}\)  \(.*\)/found \1 \2/; s/^\([0-9a-f]\{64\}\)  \(.*\)/expected \1 \2/' >"$work/other"
	while read -r kind digest name; do
		case $kind in
		expected) say 'a file is missing or not the one that was exported' "$name" "$digest" "$(grep -F "  $name" "$work/sums" | cut -c1-64)" ;;
		found) grep -qF "  $name" SHA256SUMS || say 'a file that SHA256SUMS does not list' "$name" 'no such file' "$digest" ;;
		*) say 'a line of SHA256SUMS' SHA256SUMS 'hash and name' "$kind $digest" ;;
		esac
	done <"$work/other"
	ok "$(wc -l <"$work/listed") files are those of SHA256SUMS"
}

check_manifest() {
	for name in size from end disclosed omitted; do
		is_number "$(value manifest.json $name)" || { say 'the manifest cannot be read' manifest.json "$name, a number, once" "$(value manifest.json $name)" && finish; }
	done
	origin=$(value manifest.json origin) size=$(value manifest.json size) root=$(value manifest.json root)
	from=$(value manifest.json from) end=$(value manifest.json end)
	disclosed=$(value manifest.json disclosed) omitted=$(value manifest.json omitted)
	log_key=$(value manifest.json log_key) export_key=$(value manifest.json export_key)
	same 'the log key is not the one you gave' manifest.json "${given_log:-$log_key}" "$log_key"
	same 'the export key is not the one you gave' manifest.json "${given_export:-$export_key}" "$export_key"
	take_key log "${given_log:-$log_key}"
	take_key export "${given_export:-$export_key}"
	signed export manifest.json manifest.json.sig || say "the manifest's signature does not verify" manifest.json.sig "Ed25519 by $(cat "$work/export.name")" another
	digest=$(sum manifest.json)
	if note export manifest.json.note manifest.json.note; then
		printf 'ifswarm export manifest v1\n%s\n%s\n' "$origin" "$(printf '%s' "$digest" | from_hex | base64)" >"$work/expected"
		same 'the note is over another manifest' manifest.json.note "$(cat "$work/expected")" "$(cat "$work/text")"
	fi
	same 'the manifest names other sums' SHA256SUMS "$(value manifest.json sha256sums)" "$(sum SHA256SUMS)"
	same 'the counts do not fill the range' manifest.json "$((end - from))" "$((disclosed + omitted))"
	ok "the manifest is signed by $(cat "$work/export.name")"
}

check_checkpoint() {
	note log log/checkpoint log/checkpoint || finish
	same 'the checkpoint is of another log' log/checkpoint "$origin" "$(sed -n 1p "$work/text")"
	same 'the key is of another log' manifest.json "$origin" "$(cat "$work/log.name")"
	same 'the manifest names another size' manifest.json "$(sed -n 2p "$work/text")" "$size"
	same 'the manifest names another root' manifest.json "$(sed -n 3p "$work/text")" "$root"
	[ "$from" -lt "$end" ] && [ "$end" -le "$size" ] || { say 'a range outside the log' manifest.json "below $size" "$from to $end" && finish; }
	[ "$breaks" -eq "$before" ] || finish
	root=$(printf '%s' "$root" | base64 -d | to_hex)
	checkpoint=$(sum log/checkpoint)
	ok "the checkpoint of $origin, size $size, is signed by the log's key"
}

# --- The tree ------------------------------------------------------------------------------------------------
tile_path() { # LEVEL INDEX WIDTH
	tile_digits=$(printf '%03d' $(($2 % 1000)))
	tile_rest=$(($2 / 1000))
	while [ $tile_rest -gt 0 ]; do
		tile_digits=$(printf 'x%03d' $((tile_rest % 1000)))/$tile_digits
		tile_rest=$((tile_rest / 1000))
	done
	[ "$3" -eq 256 ] && echo "log/tile/$1/$tile_digits" || echo "log/tile/$1/$tile_digits.p/$3"
}
# LEVEL FIRST-TILE END-TILE COUNT: the hashes of these tiles, one a line, of a level that has COUNT.
read_tiles() {
	tile_at=$2
	while [ "$tile_at" -lt "$3" ]; do
		tile_width=$(($4 - tile_at * 256))
		[ $tile_width -le 256 ] || tile_width=256
		tile_name=$(tile_path "$1" "$tile_at" $tile_width)
		if [ ! -f "$tile_name" ] || [ "$(wc -c <"$tile_name")" -ne $((tile_width * 32)) ]; then
			say 'a tile is missing or has another length' "$tile_name" "$((tile_width * 32)) bytes" "$(wc -c 2>/dev/null <"$tile_name")" >&2
			return 1
		fi
		cat "$tile_name"
		tile_at=$((tile_at + 1))
	done | to_hex
}
# Every level's hashes into $work/level.N; level 0 begins at leaf $base.
read_levels() {
	level=0
	base=$((from / 256 * 256))
	while [ $((size >> 8 * level)) -gt 0 ]; do
		count=$((size >> 8 * level))
		first_tile=0 end_tile=$(((count + 255) / 256))
		[ $level -gt 0 ] || { first_tile=$((base / 256)) && end_tile=$(((end + 255) / 256)); }
		read_tiles $level $first_tile $end_tile $count >"$work/level.$level" 2>"$work/trouble"
		[ ! -s "$work/trouble" ] || { say 'a tile is missing or has another length' "$(cut -d, -f2 "$work/trouble")" 'whole tiles' "$(cut -d, -f4- "$work/trouble")" && finish; }
		level=$((level + 1))
	done
	levels=$level
}
# Each full tile's root stands in the level above it.
check_parents() {
	level=0
	while [ $((level + 1)) -lt "$levels" ]; do
		skip=0
		[ $level -gt 0 ] || skip=$((base / 256))
		full=$(($(wc -l <"$work/level.$level") / 256))
		if [ $full -gt 0 ]; then
			head -n $((full * 256)) "$work/level.$level" | fold 256 >"$work/roots"
			tail -n +$((skip + 1)) "$work/level.$((level + 1))" | head -n $full | paste -d' ' - "$work/roots" | grep -nEv '^([0-9a-f]{64}) \1$' >"$work/other"
			while IFS=': ' read -r line expected found; do
				say 'a tile is not under its parent' "$(tile_path $level $((skip + line - 1)) 256)" "$expected" "$found"
			done <"$work/other"
		fi
		level=$((level + 1))
	done
}
# The complete subtrees of the partial tile of a level, largest first.
peaks() { # LEVEL
	rest=$(((size >> 8 * $1) % 256)) at=0 bit=128
	[ "$rest" -gt 0 ] || return 0
	if [ "$1" -eq 0 ]; then
		read_tiles 0 $((size / 256)) $((size / 256 + 1)) "$size"
	else
		tail -n $rest "$work/level.$1"
	fi >"$work/partial"
	while [ $bit -gt 0 ]; do
		if [ $((rest & bit)) -ne 0 ]; then
			tail -n +$((at + 1)) "$work/partial" | head -n $bit | fold $bit
			at=$((at + bit))
		fi
		bit=$((bit / 2))
	done
}
check_root() {
	level=0
	: >"$work/peaks"
	while [ $level -lt "$levels" ]; do
		peaks $level >"$work/more" 2>"$work/trouble"
		[ ! -s "$work/trouble" ] || say 'a tile is missing or has another length' "log/tile/$level" 'the rightmost tile' 'none, or another'
		cat "$work/peaks" >>"$work/more" && mv "$work/more" "$work/peaks"
		level=$((level + 1))
	done
	total=''
	sed '1!G;h;$!d' "$work/peaks" >"$work/more"
	while read -r peak; do
		if [ -z "$total" ]; then total=$peak; else total=$(node "$peak" "$total"); fi
	done <"$work/more"
	same 'the tiles do not give the signed root' log/tile "$root" "$total"
	ok 'the tiles give the signed root'
}

# --- The leaves ----------------------------------------------------------------------------------------------
# Entries of one length are hashed together: 0x00 and the entry, for each.
hash_entries() {
	rm -rf "$work/lengths" && mkdir "$work/lengths"
	while read -r seq leaf text; do
		pad=${text##*[!=]}
		echo "$seq $leaf $text" >>"$work/lengths/$((${#text} / 4 * 3 - ${#pad}))"
	done
	for file in "$work"/lengths/*; do
		[ -f "$file" ] || continue
		cut -d' ' -f3 "$file" | sed 's/^/AA==/' | base64 -d | sum_pieces $((${file##*/} + 1)) >"$work/hashes"
		cut -d' ' -f1,2 "$file" | paste -d' ' - "$work/hashes"
	done | sort -n
}
# FILE EXPRESSION: the rows as `sed` takes them apart; every line must be one.
rows() {
	sed -n "s/^{\"seq\":\([0-9][0-9]*\),\"leaf_hash\":\"\([0-9a-f]\{64\}\)\",$2/p" "$1"
	same 'lines that cannot be read' "$1" "$(wc -l <"$1") lines" "$(sed -n "/^{\"seq\":[0-9][0-9]*,\"leaf_hash\":\"[0-9a-f]\{64\}\",/p" "$1" | wc -l) lines" >&2
}
check_leaves() {
	rows data/events.jsonl '"entry_b64":"\([A-Za-z0-9+\/]*=*\)".*}$/\1 \2 \3' >"$work/events" 2>"$work/trouble"
	rows data/omissions.jsonl '"reason":".*}$/\1 \2' >"$work/omissions" 2>>"$work/trouble"
	[ ! -s "$work/trouble" ] || say 'lines that cannot be read' "$(cut -d, -f2 "$work/trouble" | head -n 1)" 'lines as docs/bundle.md says' 'others'
	for file in events omissions; do
		cut -d' ' -f1 "$work/$file" >"$work/order"
		sort -nuc "$work/order" 2>/dev/null || say 'rows are not in order, or twice' "data/$file.jsonl" 'each seq once' "$(sort -n "$work/order" | uniq -d | head -n 1)"
	done
	same 'the manifest counts other disclosed events' data/events.jsonl "$disclosed" "$(wc -l <"$work/events")"
	same 'the manifest counts other omissions' data/omissions.jsonl "$omitted" "$(wc -l <"$work/omissions")"
	hash_entries <"$work/events" >"$work/hashed"
	grep -Ev '^[0-9]+ ([0-9a-f]{64}) \1$' "$work/hashed" >"$work/other"
	while read -r seq expected found; do
		say 'an entry is not the one that was hashed' "seq $seq" "$expected" "$found"
	done <"$work/other"
	{ cut -d' ' -f1,3 "$work/hashed" && cat "$work/omissions"; } | sort -k1,1 >"$work/found"
	seq -f %.0f "$from" $((end - 1)) >"$work/order"
	tail -n +$((from - base + 1)) "$work/level.0" | head -n $((end - from)) | paste -d' ' "$work/order" - | sort -k1,1 >"$work/expected"
	join -a 1 -e none -o 0,1.2,2.2 "$work/expected" "$work/found" | grep -Ev '^[0-9]+ ([0-9a-f]{64}) \1$' >"$work/other"
	while read -r seq leaf found; do
		say 'a leaf of the tree is not in the bundle' "seq $seq" "$leaf" "$found"
	done <"$work/other"
	join -v 2 "$work/expected" "$work/found" >"$work/other"
	while read -r seq leaf; do
		say 'an event outside the range' "seq $seq" "$from to $((end - 1))" "$leaf"
	done <"$work/other"
	ok "$((end - from)) leaves, seq $from to $((end - 1)), are under the root, each disclosed or named as omitted"
}
# The bytes of an entry as numbers: $said_seq, $said_type, and the first two of its fields, $said_first and $said_end.
scalar() {
	number=''
	case $1 in
	192) used=1 ;;
	196) used=$(($2 + 2)) ;;
	204) used=2 number=$2 ;;
	205) used=3 number=$(($2 * 256 + $3)) ;;
	206) used=5 number=$((($2 * 256 + $3) * 65536 + $4 * 256 + $5)) ;;
	207) used=9 number=$(((($2 * 256 + $3) * 65536 + $4 * 256 + $5) * 4294967296 + ($6 * 256 + $7) * 65536 + $8 * 256 + $9)) ;;
	*) [ "$1" -lt 128 ] || return 1
		used=1 number=$1 ;;
	esac
	[ $# -ge $used ]
}
read_said() {
	said_seq='' said_type='' said_first='' said_end=''
	[ "$1" -eq 159 ] || return 1
	shift
	for element in 0 1 2 3 4 5 6 7 8 9 10 11 first end; do
		if [ $element = first ]; then
			[ "$1" -eq 148 ] || return 1
			shift
		fi
		[ $# -gt 9 ] && scalar "$@" || return 1
		case $element in
		1) said_seq=$number ;;
		7) said_type=$number ;;
		first) said_first=$number ;;
		end) said_end=$number ;;
		esac
		shift $used
	done
}
# SEQ LEAF: under the root, though it stands outside the range.
check_said_leaf() {
	tile=$(($1 / 256)) width=$((size - $1 / 256 * 256))
	[ $width -le 256 ] || width=256
	read_tiles 0 $tile $((tile + 1)) "$size" >"$work/tile" 2>"$work/trouble"
	[ ! -s "$work/trouble" ] || { say 'a tile is missing or has another length' "$(tile_path 0 $tile $width)" 'whole tiles' 'none, or another' && return 0; }
	if [ $width -eq 256 ]; then
		same 'a tile is not under its parent' "$(tile_path 0 $tile 256)" "$(sed -n $((tile + 1))p "$work/level.1")" "$(fold 256 <"$work/tile")"
	fi
	same 'an entry is not the one in the tree' "data/pruned.jsonl seq $1" "$(sed -n $(($1 % 256 + 1))p "$work/tile")" "$2"
}
# Any other reason is the exporter's word; that an entry was pruned, the log says itself.
check_pruned() {
	: >"$work/ranges"
	if [ -f data/pruned.jsonl ]; then
		rows data/pruned.jsonl '"entry_b64":"\([A-Za-z0-9+\/]*=*\)"}$/\1 \2 \3' >"$work/said" 2>"$work/trouble"
		[ ! -s "$work/trouble" ] || say 'lines that cannot be read' data/pruned.jsonl 'lines as docs/bundle.md says' 'others'
		hash_entries <"$work/said" >"$work/hashed"
		while read -r seq leaf hash; do
			same 'an entry is not the one that was hashed' "data/pruned.jsonl seq $seq" "$leaf" "$hash"
			[ "$seq" -ge "$size" ] || check_said_leaf "$seq" "$hash"
		done <"$work/hashed"
		while read -r seq leaf text; do
			if read_said $(echo "$text" | base64 -d | od -An -v -tu1) && [ "$said_seq" = "$seq" ] && [ "$said_type" = 331 ] && [ "$said_end" -le "$seq" ] && [ "$seq" -lt "$size" ]; then
				echo "$seq $said_first $said_end" >>"$work/ranges"
			else
				say 'a line cannot be read' "data/pruned.jsonl seq $seq" 'a log_pruned as docs/bundle.md says' 'another event'
			fi
		done <"$work/said"
	fi
	sed -n 's/^{"seq":\([0-9][0-9]*\),.*"reason":"pruned".*$/\1 &/p' data/omissions.jsonl | sed 's/ .*"reason":"pruned","pruned_by":\([0-9][0-9]*\)}$/ \1/; s/ {.*$/ none/' >"$work/claims"
	known='' said_first=0 said_end=0
	while read -r seq event; do
		if [ "$event" != "$known" ]; then
			known=$event said_first=0 said_end=0
			read -r said_first said_end <<TXT
$(sed -n "s/^$event //p" "$work/ranges")
TXT
			: "${said_first:=0}" "${said_end:=0}"
		fi
		[ "$said_first" -le "$seq" ] && [ "$seq" -lt "$said_end" ] || say 'an entry is called pruned, and nothing here says so' "seq $seq" 'a log_pruned of its range in data/pruned.jsonl' none
	done <"$work/claims"
}
# TILE-INDEX FILE: the lengths first, from its bytes as numbers; then each entry behind 0x00 into a file of its own, as
# the octal escapes that printf knows, which costs no process.
check_entry_bundle() {
	bundle_index=$1 bundle_name=$2 place=1 ranges=''
	set -- $(od -An -v -tu1 "$2")
	while [ $# -ge 2 ] && [ $(($1 * 256 + $2)) -gt 0 ] && [ $# -ge $(($1 * 256 + $2 + 2)) ]; do
		length=$(($1 * 256 + $2))
		ranges="$ranges,$((place * 4 + 5))-$(((place + length) * 4 + 4))"
		place=$((place + length + 2))
		shift $((length + 2))
	done
	[ $# -eq 0 ] || say 'an entry bundle breaks off' "$bundle_name" 'whole entries' "$# bytes too many"
	[ -n "$ranges" ] || { say 'an entry bundle holds no entry' "$bundle_name" 'entries' none && return 0; }
	od -An -v -to1 "$bundle_name" | tr -d '\n' | tr ' ' '\\' | cut -b "${ranges#,}" --output-delimiter='
' >"$work/octal"
	place=100000
	while read -r octal; do
		place=$((place + 1))
		printf "\\000$octal" >"$work/pieces/$place"
	done <"$work/octal"
	sum_all >"$work/hashes"
	tail -n +$((bundle_index * 256 - base + 1)) "$work/level.0" | head -n 256 | paste -d' ' - "$work/hashes" | grep -nEv '^([0-9a-f]{64}) \1$' >"$work/other"
	while IFS=': ' read -r line expected found; do
		say 'an entry is not the one in the tree' "$bundle_name entry $line" "$expected" "$found"
	done <"$work/other"
}
check_entry_bundles() {
	index=$((base / 256))
	while [ $((index * 256)) -lt "$end" ]; do
		width=$((size - index * 256))
		[ $width -le 256 ] || width=256
		name=$(tile_path entries $index $width)
		if [ -f "$name" ]; then
			check_entry_bundle $index "$name"
		elif [ "$omitted" -eq 0 ]; then
			say 'an entry bundle is missing' "$name" 'a file' none
		fi
		index=$((index + 1))
	done
	ok 'the entry bundles, where they are there, hold the entries of the tree'
}

# --- Proofs --------------------------------------------------------------------------------------------------
# FILE FIRST-LINE WORD: its number, its hashes (in $work/proof) and its note (in $work/note).
read_proof() {
	{
		IFS= read -r headline && IFS= read -r number
		while IFS= read -r line && [ -n "$line" ]; do echo "$line"; done >"$work/base64"
		cat >"$work/note"
	} <"$1"
	number=${number#"$3 "}
	if [ "$headline" != "$2" ] || ! is_number "$number"; then
		say 'a proof cannot be read' "$1" "$2" "$headline $number"
		return 1
	fi
	if grep -Eqv '^[A-Za-z0-9+/]{43}=$' "$work/base64"; then
		say 'a proof cannot be read' "$1" 'hashes of 32 bytes' "$(grep -Ev '^[A-Za-z0-9+/]{43}=$' "$work/base64" | head -n 1)"
		return 1
	fi
	base64 -d "$work/base64" | to_hex >"$work/proof"
	if [ "$(sum "$work/note")" = "$checkpoint" ]; then # whose signature has been verified
		note_size=$size note_root=$root
		return 0
	fi
	note log "$work/note" "$1" || return 1
	same 'a proof is of another log' "$1" "$origin" "$(sed -n 1p "$work/text")"
	note_size=$(sed -n 2p "$work/text")
	note_root=$(sed -n 3p "$work/text" | base64 -d 2>/dev/null | to_hex)
	is_number "$note_size"
}
# FILE: a line for $work/paths: the file, the root, the place, the last place, the leaf's hash, the proof.
begin_path() {
	read_proof "$1" 'c2sp.org/tlog-proof@v1' index || return 0
	same 'a proof is of another event than its name says' "$1" "proofs/$number.tlog-proof" "$1"
	leaf=$(sed -n "s/^$number //p" "$work/found")
	if [ -z "$leaf" ] || [ "$number" -ge "$note_size" ]; then
		say 'a proof of an event that is not here' "$1" "a seq of the range" "$number"
		return 0
	fi
	echo "$1 $note_root $number $((note_size - 1)) $leaf" $(cat "$work/proof") >>"$work/paths"
}
# RFC 9162 section 2.1.3.2, for all proofs at once: one step of each is hashed together.
follow_paths() {
	while [ -s "$work/paths" ]; do
		while read -r file expected place last hash sibling rest; do
			if [ "$last" -eq 0 ] || [ -z "$sibling" ]; then
				[ "$last" -eq 0 ] && [ -z "$sibling" ] || hash='another number of hashes than the tree is high'
				same 'an inclusion proof does not lead to the root' "$file" "$expected" "$hash"
				continue
			fi
			if [ $((place & 1)) -eq 1 ] || [ "$place" -eq "$last" ]; then
				printf '%s\n' "$sibling" "$hash" >&3
				while [ $((place & 1)) -eq 0 ] && [ "$place" -gt 0 ]; do place=$((place >> 1)) last=$((last >> 1)); done
			else
				printf '%s\n' "$hash" "$sibling" >&3
			fi
			echo "$file $expected $((place >> 1)) $((last >> 1))" >&4
			echo "$rest" >&5
		done <"$work/paths" 3>"$work/nodes" 4>"$work/heads" 5>"$work/rests"
		: >"$work/paths"
		[ ! -s "$work/nodes" ] || pairs "$work/nodes" | paste -d' ' "$work/heads" - "$work/rests" >"$work/paths"
	done
}
check_inclusions() {
	count=0
	: >"$work/paths"
	for file in proofs/*.tlog-proof; do
		[ -f "$file" ] || continue
		begin_path "$file"
		count=$((count + 1))
	done
	follow_paths
	ok "$count inclusion proofs lead to signed roots"
}
# RFC 9162 section 2.1.4.2.
follow_consistency() { # SIZE, to which it leads
	proof_place=$((number - 1)) proof_last=$(($1 - 1))
	[ $((number & (number - 1))) -ne 0 ] || { echo "$note_root" && cat "$work/proof"; } >"$work/more"
	[ $((number & (number - 1))) -eq 0 ] || cp "$work/proof" "$work/more"
	while [ $((proof_place & 1)) -eq 1 ]; do proof_place=$((proof_place >> 1)) proof_last=$((proof_last >> 1)); done
	old_hash=$(head -n 1 "$work/more") new_hash=$old_hash
	tail -n +2 "$work/more" >"$work/proof"
	while read -r sibling; do
		if [ $proof_last -eq 0 ]; then new_hash='too many hashes' && break; fi
		if [ $((proof_place & 1)) -eq 1 ] || [ $proof_place -eq $proof_last ]; then
			old_hash=$(node "$sibling" "$old_hash") new_hash=$(node "$sibling" "$new_hash")
			while [ $((proof_place & 1)) -eq 0 ] && [ $proof_place -gt 0 ]; do proof_place=$((proof_place >> 1)) proof_last=$((proof_last >> 1)); done
		else
			new_hash=$(node "$new_hash" "$sibling")
		fi
		proof_place=$((proof_place >> 1)) proof_last=$((proof_last >> 1))
	done <"$work/proof"
	[ $proof_last -eq 0 ] || new_hash='too few hashes'
}
check_consistency() {
	previous=$(value manifest.json previous_size)
	if [ "$previous" = null ]; then
		[ ! -e proofs/consistency.txt ] || say 'a consistency proof without a previous export' proofs/consistency.txt 'no such file' 'a file'
		ok 'no previous export is named'
		return 0
	fi
	[ -f proofs/consistency.txt ] || { say 'a file is missing' proofs/consistency.txt 'a file' none && return 0; }
	read_proof proofs/consistency.txt 'ifswarm.local/consistency@v1' old || return 0
	same 'the consistency proof is from another size' proofs/consistency.txt "$previous" "$number"
	same 'the previous checkpoint has another size' proofs/consistency.txt "$previous" "$note_size"
	same 'the previous checkpoint has another root' proofs/consistency.txt "$(value manifest.json previous_root)" "$(sed -n 3p "$work/text")"
	[ "$number" -gt 0 ] && [ "$number" -le "$size" ] || { say 'the previous export is larger' proofs/consistency.txt "up to $size" "$number" && return 0; }
	old_hash=$note_root new_hash=$note_root
	if [ "$number" -lt "$size" ]; then
		follow_consistency "$size"
	elif [ -s "$work/proof" ]; then
		new_hash='hashes where none are needed'
	fi
	same 'the proof does not lead to the previous root' proofs/consistency.txt "$note_root" "$old_hash"
	same 'the proof does not lead to the root' proofs/consistency.txt "$root" "$new_hash"
	ok "the log of the previous export, size $previous, is a prefix of this one"
}

# --- What others said (docs/bundle.md, anchors/) -------------------------------------------------------------
# KIND: the checkpoint is the log's, and it and log/checkpoint are of one tree. Its size is in $anchor_size.
check_anchor() {
	anchor=anchors/$1.checkpoint
	if [ ! -f "$anchor" ]; then
		[ ! -e "anchors/$1.proof" ] && [ ! -e "anchors/$1.tsr" ] || say 'a file is missing' "$anchor" 'what the file beside it is of' none
		return 1
	fi
	note log "$anchor" "$anchor" || return 1
	cp "$work/text" "$work/$1.text" && cp "$work/signatures" "$work/$1.lines"
	same 'an anchor is of another log' "$anchor" "$origin" "$(sed -n 1p "$work/text")"
	anchor_size=$(sed -n 2p "$work/text") anchor_root=$(sed -n 3p "$work/text" | base64 -d 2>/dev/null | to_hex)
	is_number "$anchor_size" || { say 'an anchor cannot be read' "$anchor" 'a size' "$anchor_size" && return 1; }
	check_tie "anchors/$1.proof"
	[ "$breaks" -eq "$before" ]
}
check_tie() { # FILE: the smaller of both trees is a prefix of the larger
	if [ "$anchor_size" -eq "$size" ]; then
		same "an anchor is not of this log's tree" "$1" "$root" "$anchor_root"
		return 0
	fi
	[ -f "$1" ] || { say 'a file is missing' "$1" 'a file' none && return 0; }
	read_proof "$1" 'ifswarm.local/consistency@v1' old || return 0
	if [ "$anchor_size" -lt "$size" ]; then
		tie="$anchor_size $anchor_root" tie_size=$size tie_root=$root
	else
		tie="$size $root" tie_size=$anchor_size tie_root=$anchor_root
	fi
	if [ "$number $note_root" != "$tie" ] || [ "$note_size" != "$number" ] || [ "$number" -eq 0 ]; then
		say "an anchor's proof is from another checkpoint" "$1" "$tie" "$number $note_root"
		return 0
	fi
	follow_consistency "$tie_size"
	same "an anchor is not of this log's tree" "$1" "${tie#* } $tie_root" "$old_hash $new_hash"
}
# NAME: that witness's line among those of the cosigned checkpoint. True if it holds; the time is in $cosigned_at.
cosigned_by() {
	grep -F "— $(cat "$work/witness.name") " "$work/cosigned.lines" | cut -d' ' -f3 >"$work/lines"
	while read -r line; do
		printf '%s' "$line" | base64 -d >"$work/blob" 2>/dev/null
		[ "$(head -c 4 "$work/blob" | to_hex)" = "$(cat "$work/witness.id")" ] || continue
		cosigned_at=$(printf %d "0x$(head -c 12 "$work/blob" | tail -c 8 | to_hex)")
		{ printf 'cosignature/v1\ntime %s\n' "$cosigned_at" && cat "$work/cosigned.text"; } >"$work/message"
		tail -c +13 "$work/blob" >"$work/sig"
		signed witness "$work/message" "$work/sig" && return 0
		say 'a cosignature does not hold' anchors/cosigned.checkpoint "cosignature/v1 by $1" 'none that verifies'
	done <"$work/lines"
	return 1
}
# The policy, line by line; groups name what stands before them. In $met: who has cosigned, and which groups that makes.
check_policy() {
	met=' ' met_count=0 met_who='' witness_count=0 quorum=none
	while read -r word name rule members; do
		case $word in
		witness)
			witness_count=$((witness_count + 1))
			take_key witness "$rule" 04 "$policy"
			if cosigned_by "$name"; then
				met="$met$name " met_count=$((met_count + 1)) met_who="$met_who, $name at $cosigned_at"
			fi
			;;
		group)
			group_count=0 group_met=0
			for member in $members; do
				group_count=$((group_count + 1))
				case $met in *" $member "*) group_met=$((group_met + 1)) ;; esac
			done
			case $rule in any) rule=1 ;; all) rule=$group_count ;; esac
			[ "$group_met" -lt "$rule" ] || met="$met$name "
			;;
		quorum) quorum=$name ;;
		'' | '#'* | log) ;;
		*) echo "verify.sh: $policy: not a line of a policy: $word" >&2 && exit 2 ;;
		esac
	done <"$policy"
	enough='not enough'
	case $met in *" $quorum "*) enough=enough ;; esac
	[ "$quorum" != none ] || [ "$met_count" -eq 0 ] || enough=enough
}
check_cosigned() {
	if ! check_anchor cosigned; then
		ok 'no checkpoint that witnesses have cosigned is here'
	elif [ -z "$policy" ]; then
		ok "$(($(wc -l <"$work/cosigned.lines") - 1)) cosignatures of size $anchor_size were not judged: hand in the witnesses with --policy"
	else
		check_policy
		ok "$met_count of $witness_count witnesses, $enough, have cosigned size $anchor_size: ${met_who#, }"
	fi
}
# TOKEN FILE: what it is over, and, with --tsa-ca, who signed it: judged at the time it names.
check_stamp() {
	[ -f "$1" ] || { say 'a file is missing' "$1" 'a file' none && return 0; }
	openssl ts -reply -in "$1" -text >"$work/token" 2>/dev/null
	stamped_at=$(sed -n 's/^Time stamp: //p' "$work/token")
	imprint=$(sed -n '/^Message data:/,/^Serial/s/^ *[0-9a-f]\{4\} - \(.\{47\}\).*/\1/p' "$work/token" | tr -d ' \n-')
	same 'a timestamp does not hold' "$1" "a token over $2, $(sum "$2")" "a token over $2, ${imprint:-none}"
	judged='; who signed that was not judged: hand in the authority with --tsa-ca'
	if [ -n "$authority" ]; then
		judged=', by an authority that you named'
		openssl ts -verify -data "$2" -in "$1" -CAfile "$authority" -attime "$(date -u -d "$stamped_at" +%s)" >/dev/null 2>&1 ||
			say 'a timestamp is not by an authority that you named' "$1" "a token under $authority" another
	fi
	ok "$2 was timestamped at $stamped_at$judged"
}
check_anchors() {
	check_cosigned
	if check_anchor stamped; then
		check_stamp anchors/stamped.tsr anchors/stamped.checkpoint
	fi
}

# LOW HIGH: the hash of a subtree, from the tiles that were found under the root.
subtree() (
	width=$(($2 - $1)) level=0 half=1
	while [ $((half * 2)) -lt $width ]; do half=$((half * 2)); done
	if [ $width -gt 1 ] && [ $((half * 2)) -ne $width ]; then
		node "$(subtree "$1" $(($1 + half)))" "$(subtree $(($1 + half)) "$2")"
		return
	fi
	while [ $width -ge 256 ] || { [ $level -eq 0 ] && [ $width -gt 1 ] && [ $((width >> 8)) -gt 0 ]; }; do
		level=$((level + 1)) width=$((width >> 8))
	done
	at=$(($1 >> 8 * level))
	if [ $level -gt 0 ]; then
		tail -n +$((at + 1)) "$work/level.$level" | head -n $width
	elif [ "$at" -ge $((base + $(wc -l <"$work/level.0"))) ]; then
		read_tiles 0 $((size / 256)) $((size / 256 + 1)) "$size" | tail -n +$((at % 256 + 1)) | head -n $width
	else
		tail -n +$((at - base + 1)) "$work/level.0" | head -n $width
	fi | fold $width
)
# The subtrees of [LOW, HIGH) outside the range, in order.
outside() (
	if [ "$2" -le "$from" ] || [ "$1" -ge "$end" ]; then
		subtree "$1" "$2"
		return
	fi
	[ "$1" -lt "$from" ] || [ "$2" -gt "$end" ] || return 0
	half=1
	while [ $((half * 2)) -lt $(($2 - $1)) ]; do half=$((half * 2)); done
	outside "$1" $(($1 + half))
	outside $(($1 + half)) "$2"
)
check_range() {
	for name in from end size root; do
		same "range.json names another $name" proofs/range.json "$(value manifest.json $name)" "$(value proofs/range.json $name)"
	done
	sed -n 's/^  "\([A-Za-z0-9+/]*=\)",\{0,1\}$/\1/p' proofs/range.json | base64 -d 2>/dev/null | to_hex >"$work/stated"
	outside 0 "$size" >"$work/expected"
	same 'the range proof has other hashes than the tree' proofs/range.json "$(sum "$work/expected")" "$(sum "$work/stated")"
	ok 'the range proof leads to the root'
}

# A bundle that is not as it was signed is refused before its content is judged: verify.py names that too.
check_files
check_manifest
[ ! -f manifest.json.tsr ] || check_stamp manifest.json.tsr manifest.json
[ "$breaks" -eq 0 ] || finish
check_checkpoint
read_levels
check_parents
check_root
check_leaves
check_pruned
check_entry_bundles
check_inclusions
check_consistency
check_anchors
check_range
[ -n "$given_log" ] || echo "note: the log key is the one the bundle names; hand in yours with --log-key"
finish
