/* Exports as whoever receives them meets them: the same bytes again, nothing that the profile
 * withholds, nothing of others in a subject's access, and two verifiers that share no code with us
 * say that it holds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <sys/wait.h>

#include "store/read_io.h"
#define FIXTURE_FIRST  "alexandra"
#define FIXTURE_SECOND "bernard"
#define FIXTURE_ROOM   "vestibule"
#include "tests/replay_fixture.h"

enum { OUTPUT_MAX = 1 << 16, LINE_MAX_BYTES = 8192 };

static char output[OUTPUT_MAX];

static int
shell(const char *format, ...)
{
	char words[LINE_MAX_BYTES / 2];
	char line[LINE_MAX_BYTES];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(words, sizeof words, format, arguments);
	va_end(arguments);
	snprintf(line, sizeof line, "cd %s && { %s; } 2>&1", fixture_base, words);
	FILE *pipe = popen(line, "r");
	assert_non_null(pipe);
	const size_t count = fread(output, 1, sizeof output - 1, pipe);
	output[count] = '\0';
	while (fgetc(pipe) != EOF) {
	}
	const int status = pclose(pipe);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

static void
holds(int code)
{
	if (code != 0) {
		fail_msg("exit code %d: %s", code, output);
	}
}

/* `ifreplay export FILE OPTIONS` on the log in that folder. */
static int
export_from(const char *folder, const char *file, const char *options)
{
	return shell("%s/ifreplay --data-dir %s export %s %s", IFSWARM_BIN, folder, file,
		     fixture_text(options));
}

static int export(const char *file, const char *options)
{
	return export_from("true", file, options);
}

static void
unpack(const char *file, const char *folder)
{
	holds(shell("rm -rf %s && mkdir %s && tar xf %s -C %s", folder, folder, file, folder));
}

static bool
is_there(const char *name)
{
	return shell("test -e %s", name) == 0;
}

/* --- a log with more people in it
 * -----------------------------------------------------------------
 */

/* bernard says of himself that he met alexandra, and talks of her in what nobody can read through.
 */
static void
claim(struct fixture *f)
{
	static const char metadata[] = "{\"about\":\"alexandra in metadata\"}";
	struct event event = { .type = EVENT_CLAIM_REPORTED };

	event.claim_reported = (struct event_claim_reported){
		.reporter = fixture_id(0xA0, 2),
		.event_name = fixture_name("peer_connected"),
		.agent_name = fixture_name("bernard"),
		.peer_name = fixture_name("alexandra"),
		.client = fixture_address(2, 5000),
	};
	json_text_set(&event.claim_reported.metadata, metadata, sizeof metadata - 1);
	fixture_append(f, STREAM_CLAIMED, &event);
}

static void
refuse_signaling(struct fixture *f)
{
	struct event event = { .type = EVENT_SIGNALING_REQUEST_REFUSED };

	event.signaling_request_refused = (struct event_signaling_request_refused){
		.day = fixture_id(0xF0, 1),
		.gateway = 1,
		.verdict = REFUSED_FORBIDDEN,
		.count = 3,
		.window_us = 1000000,
		.source = fixture_address(77, 7777),
		.agent_name = fixture_name("alexandra"),
	};
	fixture_append(f, STREAM_SESSION, &event);
}

static int
set_up(void **state)
{
	struct fixture f;

	if (fixture_set_up(state) != 0) {
		return 1;
	}
	fixture_open(&f, fixture_truth);
	fixture_begin(&f);
	fixture_claim(&f, STREAM_CLAIMED, "session");
	claim(&f);
	refuse_signaling(&f);
	fixture_commit(&f);
	fixture_close(&f);
	return 0;
}

/* --- the bundle
 * -----------------------------------------------------------------------------------
 */

static const struct {
	const char *what;
	const char *options;
} scopes[] = {
	{ "everything", "" },
	{ "the last of it, nothing withheld", "--from 550 --profile none" },
	{ "entries alone", "--from 550 --profile envelope" },
	{ "a range across tiles", "--from 200 --to 300 --profile none" },
	{ "one event", "--from 50 --to 50" },
	{ "one agent", "--agent alexandra --profile none --to 200" },
	{ "one type", "--type agent_registered" },
	{ "a stream, none of it in the range", "--stream operator --from 3 --to 9" },
	{ "a subject's access", "--subject alexandra --to 200" },
	{ "for somebody",
	  "--requester 'The Auditor' --purpose 'a \"quoted\" reason \xE2\x9C\x93'" },
};

static void
strangers_find_that_it_holds(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof scopes / sizeof scopes[0]; i++) {
		print_message("%s\n", scopes[i].what);
		holds(export("holds.tar", scopes[i].options));
		holds(shell("python3 %s/replay/verifier/verify.py --log-key true/log.vkey "
			    "--export-key true/export.vkey holds.tar",
			    IFSWARM_SOURCE));
		assert_non_null(strstr(output, "HOLDS"));
		shell("rm holds.tar");
	}
}

/* The scripts in it are those of the source, and run where it was unpacked. */
static void
it_carries_its_verifiers(void **state)
{
	(void)state;
	holds(export("verifiers.tar", "--from 40 --to 60 --profile none"));
	unpack("verifiers.tar", "verifiers");
	holds(shell("cmp verifiers/verify/verify.sh %s/replay/verifier/verify.sh && "
		    "cmp verifiers/verify/verify.py %s/replay/verifier/verify.py",
		    IFSWARM_SOURCE, IFSWARM_SOURCE));
	holds(shell("cd verifiers && sh verify/verify.sh"));
	holds(shell("cd verifiers && python3 verify/verify.py"));
}

static void
the_same_checkpoint_gives_the_same_bytes(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof scopes / sizeof scopes[0]; i += 3) {
		char options[1024];

		holds(export("first.tar", scopes[i].options));
		unpack("first.tar", "first");
		/* The first export is itself in the log now. */
		snprintf(options, sizeof options, "%s --checkpoint first/log/checkpoint",
			 scopes[i].options);
		holds(export("second.tar", options));
		if (shell("cmp first.tar second.tar") != 0) {
			fail_msg("%s: %s", scopes[i].what, output);
		}
		shell("rm first.tar second.tar");
	}
}

/* --- the record of it
 * -----------------------------------------------------------------------------
 */

struct recorded {
	size_t count;
	struct event_export_made last;
};

static bool
visit_export(void *context, const struct event *event, const struct entry *entry)
{
	struct recorded *recorded = context;

	(void)entry;
	if (event != NULL && event->type == EVENT_EXPORT_MADE) {
		recorded->count++;
		recorded->last = event->export_made;
	}
	return true;
}

static struct recorded
recorded_exports(void)
{
	struct recorded recorded = { 0 };
	struct log_reader *reader;
	struct log_keys *keys;
	char fault[512];

	assert_true(log_reader_open(fixture_truth, &reader, fault, sizeof fault));
	assert_true(log_keys_open(reader, NULL, &keys, fault, sizeof fault));
	assert_true(log_read_events(reader, keys, 0, UINT64_MAX, LOG_STREAM(STREAM_WITNESS),
				    visit_export, &recorded));
	log_keys_close(keys);
	log_reader_close(reader);
	return recorded;
}

static void
the_log_knows_what_went_out(void **state)
{
	const size_t before = recorded_exports().count;
	char hex[2 * sizeof(struct digest) + 1];

	(void)state;
	holds(export("known.tar", "--from 45 --to 59 --agent alexandra --requester 'The Auditor' "
				  "--purpose 'case 7'"));
	const struct recorded now = recorded_exports();
	assert_int_equal(now.count, before + 1);
	assert_true(text_equal(&now.last.profile, "pseudonymous"));
	assert_int_equal(now.last.first, 45);
	assert_int_equal(now.last.end, 60);
	assert_int_equal(now.last.asked.length, strlen(FIXTURE_FIRST));
	assert_memory_equal(now.last.asked.bytes, FIXTURE_FIRST, strlen(FIXTURE_FIRST));
	assert_int_equal(now.last.requester.length, strlen("The Auditor"));
	assert_int_equal(now.last.purpose.length, strlen("case 7"));
	assert_true(now.last.operator_name.length > 0);
	hex_write(hex, now.last.manifest.bytes, sizeof now.last.manifest.bytes);
	unpack("known.tar", "known");
	holds(shell("sha256sum known/manifest.json"));
	assert_memory_equal(output, hex, 64);
}

static void
a_copy_says_that_it_cannot_record(void **state)
{
	const size_t before = recorded_exports().count;

	(void)state;
	holds(shell("rm -rf copy && cp -r true copy && rm copy/private/log.key"));
	holds(export_from("copy", "copy.tar", "--from 3 --to 9"));
	assert_non_null(strstr(output, "copy"));
	assert_int_equal(recorded_exports().count, before);
	holds(shell("python3 %s/replay/verifier/verify.py copy.tar", IFSWARM_SOURCE));
}

static void
the_export_key_is_secret_and_not_the_logs(void **state)
{
	(void)state;
	holds(export("key.tar", "--from 3 --to 9"));
	holds(shell("test $(stat -c %%a true/private/export.key) = 600"));
	assert_int_not_equal(shell("cmp true/private/export.key true/private/log.key"), 0);
	holds(shell("grep -q '^%s/export+' true/export.vkey", FIXTURE_ORIGIN));
}

/* --- what is let out
 * ------------------------------------------------------------------------------
 */

enum { WORDS_MAX = 8 };

/* Words as they may stand in any file of the tar. Its entries are base64: no name is in them. */
static const struct {
	const char *what;
	const char *options;
	const char *in[WORDS_MAX];
	const char *out[WORDS_MAX];
} disclosures[] = {
	{ "everything",
	  "--profile none",
	  { "alexandra", "bernard", "vestibule", "192.0.2.1:5000", "alexandra in metadata",
	    "\"salt\":" },
	  { "agent-" } },
	{ "pseudonyms, by default",
	  "",
	  { "agent-", "room-" },
	  { "alexandra", "bernard", "vestibule", "192.0.2.1:", "192.0.2.77", "in metadata",
	    "\"salt\":" } },
	{ "entries alone",
	  "--profile envelope --to 200",
	  { "agent_registered" },
	  { "alexandra", "bernard", "vestibule", "192.0.2.1:", "\"salt\":", "agent-", "room-" } },
	{ "who was asked for, under a pseudonym", "--agent bernard", { "agent-" }, { "bernard" } },
	{ "a room that was asked for", "--room vestibule --to 200", { "room-" }, { "vestibule" } },
	{ "who was asked for, in an envelope",
	  "--profile envelope --agent bernard --to 200",
	  { "agent_registered" },
	  { "bernard" } },
	{ "a subject's access",
	  "--subject alexandra",
	  { "alexandra", "192.0.2.1:5000", "agent-", "room-", "operator-", "\"salt\":" },
	  { "bernard", "vestibule", "192.0.2.2:", "192.0.2.77", "in metadata" } },
	{ "that of the other one",
	  "--subject bernard",
	  { "bernard", "192.0.2.2:5000", "peer_connected" },
	  { "alexandra", "vestibule", "192.0.2.1:", "192.0.2.77", "in metadata" } },
};

static void
check_word(const char *what, const char *word, bool is_out)
{
	if ((shell("grep -aqF '%s' out.tar", word) == 0) != is_out) {
		shell("tar xf out.tar --one-top-level=out; grep -raoF '%s' out | sort | uniq -c | "
		      "head -20; rm -r out",
		      word);
		fail_msg("%s: %s: %s", what, word, output);
	}
}

static void
each_profile_lets_out_what_it_may(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof disclosures / sizeof disclosures[0]; i++) {
		holds(export("out.tar", disclosures[i].options));
		for (size_t k = 0; k < WORDS_MAX && disclosures[i].in[k] != NULL; k++) {
			check_word(disclosures[i].what, disclosures[i].in[k], true);
		}
		for (size_t k = 0; k < WORDS_MAX && disclosures[i].out[k] != NULL; k++) {
			check_word(disclosures[i].what, disclosures[i].out[k], false);
		}
		shell("rm out.tar");
	}
}

static void
a_name_has_one_pseudonym_in_all_exports(void **state)
{
	(void)state;
	holds(export("one.tar", "--type agent_registered"));
	holds(export("two.tar", "--type agent_disconnected"));
	/* alexandra and bernard were registered; bernard left. */
	holds(shell("for n in one two; do tar xOf $n.tar data/events.jsonl | grep -o "
		    "'agent-[0-9a-f]\\{12\\}' | sort -u >$n.names; done; "
		    "test $(wc -l <one.names) = 2 && test $(wc -l <two.names) = 1 && "
		    "grep -qxf two.names one.names"));
}

static void
what_is_withheld_is_named(void **state)
{
	(void)state;
	holds(export("named.tar", "--from 40 --to 99 --type sdp_offer_relayed"));
	holds(shell("tar xOf named.tar data/events.jsonl | wc -l"));
	const int disclosed = atoi(output);
	holds(shell("tar xOf named.tar data/omissions.jsonl | grep -c "
		    "'^{\"seq\":[0-9]*,\"leaf_hash\":\"[0-9a-f]\\{64\\}\",\"reason\":\"'"));
	assert_int_equal(disclosed + atoi(output), 60);
	holds(shell("tar xOf named.tar manifest.json | grep -q '^ \"disclosed\": %d,$'",
		    disclosed));
	/* Entries of what is withheld would betray it. */
	assert_int_not_equal(shell("tar tf named.tar | grep -q tile/entries"), 0);
}

/* --- growth
 * ---------------------------------------------------------------------------------------
 */

static void
the_log_has_only_grown_since_the_last_one(void **state)
{
	(void)state;
	holds(export("old.tar", "--from 3 --to 9"));
	unpack("old.tar", "old");
	holds(export("new.tar", "--from 3 --to 19 --previous old/log/checkpoint"));
	holds(shell("tar xOf new.tar proofs/consistency.txt | head -1"));
	assert_non_null(strstr(output, "consistency@v1"));
	holds(shell("python3 %s/replay/verifier/verify.py new.tar", IFSWARM_SOURCE));
	assert_non_null(strstr(output, "of the previous export"));
}

/* --- refusals
 * -------------------------------------------------------------------------------------
 */

static const struct {
	const char *options;
	const char *says;
	int code;
} refusals[] = {
	{ "--profile everything", "profile", -1 },
	{ "--from 9 --to 5", "", 1 },
	{ "--from 99999", "", 1 },
	{ "--checkpoint /dev/null", "checkpoint", 1 },
	{ "--checkpoint /nowhere", "checkpoint", 1 },
	{ "--previous /dev/null", "", 1 },
	{ "--vkey /nowhere", "key", 1 },
	{ "--nonsense", "unknown option", 2 },
};

static void
what_cannot_be_exported_is_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
		const int code = export("refused.tar", refusals[i].options);

		if (code == 0 || code > 2 || (refusals[i].code > 0 && code != refusals[i].code) ||
		    strstr(output, refusals[i].says) == NULL || strlen(output) < 20) {
			fail_msg("%s: exit code %d: %s", refusals[i].options, code, output);
		}
		assert_false(is_there("refused.tar"));
		assert_false(is_there("refused.tar.partial"));
		assert_false(is_there("refused.tar.parts"));
	}
}

static void
nothing_is_overwritten_unasked(void **state)
{
	(void)state;
	holds(shell("echo precious >there.tar"));
	assert_int_equal(export("there.tar", "--from 3 --to 9"), 1);
	assert_non_null(strstr(output, "--discard"));
	holds(shell("grep -qx precious there.tar"));
	holds(export("there.tar", "--from 3 --to 9 --discard"));
	holds(shell("tar tf there.tar | grep -qx manifest.json"));
}

static void
a_folder_that_is_not_there_is_refused(void **state)
{
	(void)state;
	assert_int_equal(export("nowhere/at/all.tar", "--from 3 --to 9"), 1);
	assert_non_null(strstr(output, "nowhere/at/all.tar"));
}

/* --- a hostile log
 * --------------------------------------------------------------------------------
 */

static const struct {
	const char *what;
	const char *sql;
} spoils[] = {
	{ "an entry's end is changed",
	  "UPDATE event SET entry = CAST(substr(entry, 1, length(entry) - 4) || x'00000000' AS "
	  "BLOB) WHERE seq = 70" },
	{ "an entry is not msgpack", "UPDATE event SET entry = x'c1c1c1' WHERE seq = 70" },
	{ "an entry is empty", "UPDATE event SET entry = x'' WHERE seq = 70" },
	{ "an entry is enormous", "UPDATE event SET entry = zeroblob(3000000) WHERE seq = 70" },
	{ "an entry is another one",
	  "UPDATE event SET entry = (SELECT entry FROM event WHERE seq = 71) WHERE seq = 70" },
	{ "an entry is gone", "DELETE FROM event WHERE seq = 70" },
	{ "a tile is changed", "UPDATE tile SET hashes = zeroblob(8192) WHERE id = 0" },
	{ "the checkpoints are gone", "DELETE FROM checkpoint" },
};

/* Bytes from a copy can end an export, not the program. */
static void
a_spoilt_log_is_not_exported(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof spoils / sizeof spoils[0]; i++) {
		holds(shell("rm -rf spoilt && cp -r true spoilt && sqlite3 spoilt/witness.db "
			    "\"SELECT 'DROP TRIGGER ' || name || ';' FROM sqlite_master WHERE type "
			    "= 'trigger'\" | sqlite3 spoilt/witness.db && "
			    "sqlite3 -batch spoilt/witness.db \"%s\"",
			    spoils[i].sql));
		const int code = export_from("spoilt", "spoilt.tar", "--from 50 --to 99");
		if (code != 1 || strstr(output, "ifreplay") == NULL) {
			fail_msg("%s: exit code %d: %s", spoils[i].what, code, output);
		}
		print_message("%s: %s", spoils[i].what, output);
		assert_false(is_there("spoilt.tar"));
		assert_false(is_there("spoilt.tar.partial"));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(strangers_find_that_it_holds),
		cmocka_unit_test(it_carries_its_verifiers),
		cmocka_unit_test(the_same_checkpoint_gives_the_same_bytes),
		cmocka_unit_test(the_log_knows_what_went_out),
		cmocka_unit_test(a_copy_says_that_it_cannot_record),
		cmocka_unit_test(the_export_key_is_secret_and_not_the_logs),
		cmocka_unit_test(each_profile_lets_out_what_it_may),
		cmocka_unit_test(a_name_has_one_pseudonym_in_all_exports),
		cmocka_unit_test(what_is_withheld_is_named),
		cmocka_unit_test(the_log_has_only_grown_since_the_last_one),
		cmocka_unit_test(what_cannot_be_exported_is_refused),
		cmocka_unit_test(nothing_is_overwritten_unasked),
		cmocka_unit_test(a_folder_that_is_not_there_is_refused),
		cmocka_unit_test(a_spoilt_log_is_not_exported),
	};

	return cmocka_run_group_tests(tests, set_up, fixture_tear_down);
}
