#include "replay/export_text.h"

#include <assert.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "replay/discloser.h"
#include "replay/words.h"

enum { README_MAX = 8192 };

static json_t *
base64_json(const struct digest *digest)
{
	char text[64];

	base64_write(text, digest->bytes, sizeof digest->bytes);
	return json_string(text);
}

static json_t *
hex_json(const struct digest *digest)
{
	char text[2 * sizeof digest->bytes + 1];

	hex_write(text, digest->bytes, sizeof digest->bytes);
	return json_string(text);
}

static json_t *
words_or_null(const char *text)
{
	char shown[4 * JSON_BYTES_MAX + 1];

	if (text == NULL || *text == '\0') {
		return json_null();
	}
	json_t *exact = json_string(text);
	return exact != NULL ? exact
			     : json_string(words_escape(shown, sizeof shown, text, strlen(text)));
}

/* jansson's text and a newline; takes the object over. */
static char *
dump(json_t *object, size_t flags)
{
	char *text = json_dumps(object, flags);

	assert(text != NULL);
	const size_t count = strlen(text);
	text = realloc(text, count + 2);
	assert(text != NULL);
	memcpy(text + count, "\n", 2);
	json_decref(object);
	return text;
}

char *
export_manifest(const struct export_words *w)
{
	json_t *m = json_object();

	json_object_set_new(m, "version", json_integer(1));
	json_object_set_new(m, "origin", json_string(w->origin));
	json_object_set_new(m, "log_key", json_string(w->log_key));
	json_object_set_new(m, "export_key", json_string(w->export_key));
	json_object_set_new(m, "size", json_integer((json_int_t)w->checkpoint.size));
	json_object_set_new(m, "root", base64_json(&w->checkpoint.root));
	json_object_set_new(m, "from", json_integer((json_int_t)w->from));
	json_object_set_new(m, "end", json_integer((json_int_t)w->end));
	json_object_set_new(m, "disclosed", json_integer((json_int_t)w->disclosed));
	json_object_set_new(m, "omitted", json_integer((json_int_t)w->omitted));
	json_object_set_new(m, "previous_size",
			    w->previous.size == 0 ? json_null()
						  : json_integer((json_int_t)w->previous.size));
	json_object_set_new(m, "previous_root",
			    w->previous.size == 0 ? json_null() : base64_json(&w->previous.root));
	json_object_set_new(m, "profile", json_string(profile_name(w->profile)));
	json_object_set_new(m, "filter", words_or_null(w->filter));
	json_object_set_new(m, "requester", words_or_null(w->requester));
	json_object_set_new(m, "purpose", words_or_null(w->purpose));
	json_object_set_new(m, "program", json_string("ifreplay " IFSWARM_VERSION));
	json_object_set_new(m, "sha256sums", hex_json(&w->sums));
	return dump(m, JSON_INDENT(1) | JSON_SORT_KEYS | JSON_ENSURE_ASCII);
}

char *
export_custody(const struct export_words *w, const struct digest *manifest)
{
	json_t *line = json_object();

	json_object_set_new(line, "by", json_string("ifreplay " IFSWARM_VERSION));
	json_object_set_new(line, "act", json_string("made"));
	json_object_set_new(line, "to", words_or_null(w->requester));
	json_object_set_new(line, "manifest_sha256", hex_json(manifest));
	return dump(line, JSON_COMPACT | JSON_ENSURE_ASCII);
}

size_t
export_note_text(char out[CHECKPOINT_BYTES_MAX], const struct export_words *w,
		 const struct digest *manifest)
{
	char base64[64];

	base64_write(base64, manifest->bytes, sizeof manifest->bytes);
	return (size_t)snprintf(out, CHECKPOINT_BYTES_MAX, "ifswarm export manifest v1\n%s\n%s\n",
				w->origin, base64);
}

static const char readme[] =
	"An export of the evidence log %s\n"
	"\n"
	"  events      %" PRIu64 " to %" PRIu64 ": %" PRIu64 " disclosed, %" PRIu64 " withheld\n"
	"  profile     %s\n"
	"  checkpoint  log/checkpoint, over %" PRIu64 " events\n"
	"\n"
	"What it proves\n"
	"\n"
	"  - Each disclosed event is in the log that this checkpoint signs, at its place, byte for "
	"byte.\n"
	"  - Between the first and the last event of the range nothing is left out: each is "
	"disclosed, or\n"
	"    named in data/omissions.jsonl with its hash and the reason.\n"
	"  - With proofs/consistency.txt: the log of the previous export was only added to since.\n"
	"  - With anchors/: which witnesses have seen this log, and when; what an authority has "
	"timestamped.\n"
	"    Give their keys to the verifiers: --policy, --tsa-ca.\n"
	"\n"
	"What it does not prove\n"
	"\n"
	"  - That log_key in manifest.json is the right key. Compare it with the one you have "
	"from\n"
	"    elsewhere, or give that one to the verifiers: --log-key.\n"
	"  - That every event was written in the first place, or that claimed events (stream 5) "
	"are true.\n"
	"  - That names belong to their handles: names are sealed, and here they are the "
	"exporter's word,\n"
	"    under the export key's signature. The sealed bytes, where given, are those of the "
	"log.\n"
	"\n"
	"How to check it, three ways, none of which needs the program that made it\n"
	"\n"
	"  1. sh, openssl and coreutils      sh verify/verify.sh\n"
	"  2. python3, standard library      python3 verify/verify.py\n"
	"  3. ifreplay                       ifreplay verify-bundle FILE.tar\n"
	"\n"
	"Run 1 and 2 in the folder this was unpacked to. Each ends in a line HOLDS, with exit code "
	"0, or in\n"
	"DOES NOT HOLD, with exit code 1, after one line BREAK for everything that is wrong. "
	"Whoever does not\n"
	"trust the scripts in the bundle takes those of the program's source: they are the same "
	"bytes.\n"
	"\n"
	"What is in it\n"
	"\n"
	"  report.html, report.txt   for people\n"
	"  data/events.jsonl         one event a line: entry_b64 is what the tree holds, the rest "
	"repeats it\n"
	"  data/events.csv, data/ocsf.jsonl, data/evidence.db   the same rows for spreadsheets, "
	"SIEMs, SQL\n"
	"  data/omissions.jsonl      what is not disclosed\n"
	"  log/                      the signed checkpoint and the hashes of the tree (C2SP "
	"tlog-tiles)\n"
	"  anchors/                  what others said of this log: cosigned.checkpoint, "
	"stamped.tsr\n"
	"  proofs/                   the range; growth; single events (up to %d; beyond, log/ "
	"proves them)\n"
	"  state/                    who was registered before the first and after the last event\n"
	"  manifest.json             what this is; signed by the export key (.sig, .note),\n"
	"                            and perhaps timestamped (.tsr)\n"
	"  custody.jsonl             who handed it to whom: add a line when you hand it on\n";

char *
export_readme(const struct export_words *w)
{
	char *text = malloc(README_MAX);

	assert(text != NULL);
	const int count = snprintf(text, README_MAX, readme, w->origin, w->from, w->end - 1,
				   w->disclosed, w->omitted, profile_name(w->profile),
				   w->checkpoint.size, EXPORT_PROOFS_MAX);
	assert(count > 0 && count < README_MAX);
	return text;
}
