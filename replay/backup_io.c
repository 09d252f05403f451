/* backup: a copy that was verified before it is called one. */
#include "store/backup_io.h"

#include <inttypes.h>
#include <stdio.h>

#include "actors/act_io.h"
#include "replay/care_io.h"
#include "replay/commands_io.h"
#include "replay/print_io.h"
#include "store/manifest_io.h"
#include "store/read_io.h"

static int
fail(const char *fault)
{
	fprintf(stderr, "ifreplay: backup: %s\n", fault);
	return 1;
}

static void
print_made(const struct options *options, const struct backup_made *made, const char *logged)
{
	char hex[65];

	for (size_t i = 0; i < 32; i++) {
		snprintf(hex + 2 * i, 3, "%02x", made->manifest.bytes[i]);
	}
	if (options->json) {
		print_json(json_pack("{s:s, s:s, s:I, s:I, s:I, s:s, s:b, s:b}", "kind", "backup",
				     "directory", options->copy, "events", (json_int_t)made->size,
				     "published", (json_int_t)made->published, "files",
				     (json_int_t)made->files, "manifest", hex, "keys",
				     options->keys != NULL, "logged", logged == NULL));
		return;
	}
	printf("backup        %s, verified\n"
	       "events        %" PRIu64 ", signed up to %" PRIu64 "\n"
	       "files         %" PRIu64 ", listed in " MANIFEST_NAME ", whose SHA-256 is\n"
	       "              %s\n",
	       options->copy, made->size, made->published, made->files, hex);
	if (options->keys != NULL) {
		printf("keys          %s/keys.db: keep it apart from the log, and no longer than "
		       "an "
		       "erasure may take\n",
		       options->keys);
	} else {
		printf("keys          not in it (--keys DIR puts them in a second place)\n");
	}
	printf("not in it     private/: keep a copy of it in a safe of your own, once\n");
	if (logged != NULL) {
		printf("not logged    %s\n", logged);
	}
}

/* Through the witness of a running cluster; else the log is opened for this one event. NULL: it is
 * in the log. */
static const char *
log_backup(const struct options *options, const struct backup_made *made,
	   char fault[CARE_FAULT_MAX])
{
	const struct event event = { .type = EVENT_BACKUP_MADE,
				     .backup_made = { made->size, made->manifest } };
	struct log_reader *reader = NULL;
	char origin[ORIGIN_BYTES_MAX + 1];

	switch (act_log(options->data_dir, &event, fault, CARE_FAULT_MAX)) {
	case ACT_LOGGED:
		return NULL;
	case ACT_REFUSED:
		return fault;
	case ACT_NOT_RUNNING:
		break;
	}
	if (!log_reader_open(options->data_dir, &reader, fault, CARE_FAULT_MAX)) {
		return fault;
	}
	snprintf(origin, sizeof origin, "%s", log_reader_origin(reader));
	log_reader_close(reader);
	return care_log(options->data_dir, origin, &event, 1, fault) ? NULL : fault;
}

int
backup_command(const struct options *options)
{
	const struct backup_plan plan = { options->data_dir, options->copy, options->keys };
	struct backup_made made;
	char fault[CARE_FAULT_MAX];

	if (!backup_copy(&plan, &made, fault, sizeof fault)) {
		return fail(fault);
	}
	const uint64_t breaks = care_verify(made.partial);
	if (breaks > 0) {
		snprintf(fault, sizeof fault,
			 "the copy does not verify (breaks above) and stays %.400s: see ifreplay "
			 "verify on the log itself, then ifreplay repair",
			 made.partial);
		return fail(fault);
	}
	if (!backup_finish(&plan, &made, fault, sizeof fault)) {
		return fail(fault);
	}
	print_made(options, &made, log_backup(options, &made, fault));
	return print_flush() ? 0 : 1;
}
