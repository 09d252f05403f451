#!/usr/bin/env bash
# Proves that pure files are pure: over the undefined symbols of every object in lib*_pure.a with a list of what
# computing needs, and over the include lines of every folder. Whatever is not allowed is refused.
#
#   tests/purity_test.sh [BUILD]      BUILD: a build without sanitizers, default build
set -uo pipefail
cd "$(dirname "$0")/.." || exit 2
build=${1:-build}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# --- What a pure object may call ----------------------------------------------------------------------
allowed_names='
memcpy memmove memset memcmp memchr memrchr memmem mempcpy explicit_bzero
strlen strnlen strcmp strncmp strcasecmp strncasecmp strchr strrchr strchrnul strstr strcpy strncpy stpcpy strspn
strcspn strpbrk strtok_r strsep strerrorname_np
strtol strtoul strtoll strtoull strtod strtoimax strtoumax
snprintf vsnprintf sscanf
malloc calloc realloc reallocarray free
qsort bsearch
isalnum isalpha isdigit isspace isxdigit toupper tolower
inet_pton inet_ntop ntohs ntohl htons htonl
gmtime_r timegm
abort
CRYPTO_memcmp OPENSSL_cleanse HMAC MD5 SHA1 SHA256 SHA512 ERR_clear_error
ERR_peek_last_error ERR_reason_error_string OBJ_nid2obj BIO_new_mem_buf BIO_free PEM_read_bio_X509
'
allowed_patterns='
__errno_location __assert_fail __stack_chk_fail __ctype_(b|tolower|toupper)_loc
__(mem|str|stp)[a-z]*_chk __v?snprintf_chk __explicit_bzero_chk __isoc(99|23)_[a-z]+
_GLOBAL_OFFSET_TABLE_
(floor|ceil|round|sqrt|pow|log|log2|log10|exp|fabs|fmin|fmax|lround|llround)f?
EVP_[A-Za-z0-9_]+ OSSL_PARAM_[A-Za-z0-9_]+ HMAC_[A-Za-z]+ (MD5|SHA1|SHA256|SHA512)_[A-Za-z]+
json_[a-z0-9_]+ ini_[a-z_]+
(d2i_|i2d_)?TS_[A-Za-z0-9_]+ X509_[A-Za-z0-9_]+ ASN1_[A-Za-z0-9_]+
msgpack_(pack|unpack|sbuffer|object|zone|unpacker)[a-z0-9_]*
'
# Inside those families, what draws random numbers, reads files or writes them.
denied_patterns='
EVP_PKEY_(generate|keygen|paramgen|Q_keygen)[a-z_]* EVP_CIPHER_CTX_rand_key EVP_RAND_[A-Za-z_]* EVP_PKEY_encrypt
json_(load|dump)_?(file|fd|f|callback) ini_parse ini_parse_file
X509_STORE_(load|set_default)[a-z_]* X509_LOOKUP_[A-Za-z_]+ X509_time_adj[a-z_]* X509_gmtime_adj TS_CONF_[a-z_]+
'
# A sanitised or instrumented object calls its runtime.
runtime_patterns='__(asan|ubsan|sanitizer|lsan|sancov)_[a-zA-Z0-9_]+ __start___sancov_[a-z_]+ __stop___sancov_[a-z_]+'

alternatives() { tr -s ' \n' '||' <<<"$*" | sed 's/^|//; s/|$//'; }
allow="^($(alternatives "$allowed_names $allowed_patterns $runtime_patterns"))\$"
deny="^($(alternatives "$denied_patterns"))\$"

# Prints "ARCHIVE OBJECT SYMBOL" for each call that is not allowed, in the lib*_pure.a of a directory.
impure_symbols() {
	local archives
	archives=$(find "$1" -maxdepth 1 -name 'lib*_pure.a' | sort)
	[ -n "$archives" ] || { echo "$1: no lib*_pure.a"; return; }
	# What pure objects define themselves they may call.
	nm --defined-only -P $archives 2>/dev/null | awk 'NF >= 2 && $2 ~ /^[A-TV-Z]$/ {print $1}' | sort -u >"$scratch/defined"
	nm -uAP $archives 2>/dev/null | sed -E 's/^([^[]+)\[([^]]+)\]: ([^ ]+).*/\1 \2 \3/' | sort -u |
		while read -r archive object symbol; do
			grep -qxF -- "$symbol" "$scratch/defined" && continue
			if ! grep -qE -- "$allow" <<<"$symbol" || grep -qE -- "$deny" <<<"$symbol"; then
				echo "$(basename "$archive") $object calls $symbol"
			fi
		done
}

# --- What a folder may include (DESIGN: folders) -------------------------------------------------------
may_include() { # FOLDER -> pattern of our headers
	case $1 in
	protocol) echo 'protocol/' ;;
	store) echo '(protocol|store)/' ;;
	actors) echo '(protocol|store|actors)/' ;;
	gateway) echo '(protocol|actors|gateway)/' ;;
	replay) echo '(protocol|store|replay)/|actors/[a-z_]*[a-z](\.h|\.def)' ;;
	esac
}

includes() { grep -nE "^[[:space:]]*#[[:space:]]*include[[:space:]]*[<\"]" "$@" /dev/null; }

# Prints each include line of a source tree that breaks a rule.
forbidden_includes() {
	local root=$1 folder
	for folder in protocol store actors gateway replay; do
		[ -n "$(find "$root/$folder" -name '*.[ch]' 2>/dev/null | head -1)" ] || continue
		# Our headers are named folder/file.h; another folder's only as the rule allows.
		includes "$root/$folder"/*.[ch] | grep '"' | grep -vE "\"($(may_include "$folder"))" |
			sed "s|$|   ($folder may not)|"
		[ "$folder" = replay ] && includes "$root/$folder"/*.[ch] | grep -E '"actors/[a-z_]*_io\.h"' | grep -vE '"actors/(act|expel|witness_ask|anchor|anchor_config|data_dir|sandbox)_io\.h"' |
			sed 's|$|   (only the pure machines, what asks a running actor, how it was configured, and the sandbox)|'
		[ "$folder" = store ] || includes "$root/$folder"/*.[ch] | grep -E '<sqlite3' | sed 's|$|   (only store/)|'
		[ "$folder" = gateway ] || includes "$root/$folder"/*.[ch] | grep -E '<libwebsockets' | sed 's|$|   (only gateway/)|'
		includes "$root/$folder"/*.[ch] | grep -E '<nng/' | grep -vE '/actors/mailbox_(nng_io\.h|server_io\.c|client_io\.c):' | sed 's|$|   (only actors/mailbox_*)|'
		[ "$folder" = gateway ] || includes "$root/$folder"/*.[ch] | grep -E '<openssl/ssl' | grep -v '/actors/tls_io\.c:' | sed 's|$|   (only actors/tls_io.c)|'
		# A pure file does not even see the world.
		find "$root/$folder" -name '*.[ch]' ! -name '*_io.[ch]' -print0 | xargs -0 -r grep -nE \
			'^[[:space:]]*#[[:space:]]*include[[:space:]]*(<(sys/(socket|epoll|mman|stat|un|wait|time|random|uio|ioctl)|unistd|fcntl|poll|pthread|signal|dirent|netdb)[./]|"[a-z]+/[a-z_]+_io\.h")' \
			/dev/null | sed 's|$|   (a pure file)|'
	done
}

failures=0
report() { # WHAT FINDINGS
	if [ -z "$2" ]; then
		echo "ok purity: $1"
	else
		echo "not ok purity: $1"
		sed 's/^/    /' <<<"$2"
		failures=$((failures + 1))
	fi
}

# --- The test can fail: an impure object and a forbidden include are found ------------------------------
self_test() {
	local trial=$scratch/trial word
	mkdir -p "$trial"/{protocol,store,actors,gateway,replay}
	cat >"$trial/protocol/trial.c" <<-'C'
		#include <stdio.h>
		#include <string.h>
		#include <time.h>
		#include <unistd.h>
		#include <sys/random.h>
		#include "store/log_io.h"
		int trial(char *out);
		int trial(char *out) { return (int)strlen(out) + (int)time(0) + (int)write(1, out, 1) + printf("x") + (int)getrandom(out, 1, 0); }
	C
	printf '#include <sqlite3.h>\n#include <nng/nng.h>\n#include <libwebsockets.h>\n' >"$trial/actors/trial_io.c"
	printf '#include "actors/loop_io.h"\n' >"$trial/replay/trial_io.c"
	printf '#include "store/log_io.h"\n' >"$trial/gateway/trial_io.c"
	mkdir -p "$trial/store" && : >"$trial/store/log_io.h"
	cc -I"$trial" -c "$trial/protocol/trial.c" -o "$scratch/trial.o" && ar rc "$scratch/libtrial_pure.a" "$scratch/trial.o" || return
	local found
	found=$(impure_symbols "$scratch")
	for word in time write getrandom; do
		grep -q "calls $word\$" <<<"$found" || echo "the call of $word was not found"
	done
	grep -q 'calls strlen' <<<"$found" && echo "strlen was refused"
	found=$(forbidden_includes "$trial")
	for word in 'trial.c:.*store/log_io.h.*protocol may not' 'trial.c:.*unistd.*pure' 'sqlite3.*only store' 'nng.*only actors' \
		'libwebsockets.*only gateway' 'replay/trial_io.c:.*loop_io.*pure machines' 'gateway/trial_io.c:.*gateway may not'; do
		grep -q "$word" <<<"$found" || echo "not found: $word"
	done
}

report "an impure object and each forbidden include are refused (this test can fail)" "$(self_test 2>&1)"
report "pure objects call nothing but computation" "$(impure_symbols "$build" 2>&1)"
report "folders include what they may" "$(forbidden_includes . 2>&1)"
exit $((failures > 0))
