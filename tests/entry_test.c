/* The canonical entry (EVIDENCE section 1), against vectors that another implementation wrote. */
#include "tests/vector_file.h"

#include "store/entry.h"

static void
test_every_accepted_entry_is_read_and_written_again(void **state)
{
	json_t *root = vectors_load("entry");
	size_t i;
	const json_t *row;

	(void)state;
	json_array_foreach(json_object_get(root, "accepted"), i, row)
	{
		const struct vector_bytes bytes = vector_hex(row, "entry");
		uint8_t memory[ENTRY_BYTES_MAX];
		struct mp_writer w = mp_writer_of(memory, sizeof memory);
		struct entry entry;
		struct digest hash, expected;

		print_message("  %s\n", vector_text(row, "name"));
		assert_true(entry_read(bytes.span, &entry));
		entry_write(&w, &entry);
		assert_false(w.bad);
		assert_span_equal(mp_written(&w), bytes.span);
		entry_leaf_hash(bytes.span, &hash);
		vector_fixed(row, "leaf_hash", expected.bytes, sizeof expected.bytes);
		assert_true(digest_equal(&hash, &expected));
		free(bytes.memory);
	}
	json_decref(root);
}

static void
test_every_refused_entry_is_refused(void **state)
{
	json_t *root = vectors_load("entry");
	size_t i;
	const json_t *row;

	(void)state;
	json_array_foreach(json_object_get(root, "refused"), i, row)
	{
		const struct vector_bytes bytes = vector_hex(row, "entry");
		struct entry entry;

		if (entry_read(bytes.span, &entry)) {
			fail_msg("accepted: %s", vector_text(row, "name"));
		}
		free(bytes.memory);
	}
	json_decref(root);
}

/* No byte of an entry may change without being noticed by the reader or by the leaf hash. */
static void
test_threat_G8_an_edited_entry_has_another_hash(void **state)
{
	json_t *root = vectors_load("entry");
	const json_t *row = json_array_get(json_object_get(root, "accepted"), 2);
	const struct vector_bytes bytes = vector_hex(row, "entry");
	struct digest before, after;

	(void)state;
	entry_leaf_hash(bytes.span, &before);
	for (size_t i = 0; i < bytes.span.count; i++) {
		bytes.memory[i] ^= 1;
		entry_leaf_hash(bytes.span, &after);
		assert_false(digest_equal(&before, &after));
		bytes.memory[i] ^= 1;
	}
	free(bytes.memory);
	json_decref(root);
}

static void
test_elements_stand_where_the_vectors_say(void **state)
{
	json_t *root = vectors_load("entry");
	const json_t *row = json_array_get(json_object_get(root, "accepted"), 2);
	const struct vector_bytes bytes = vector_hex(row, "entry");
	struct entry entry;

	(void)state;
	assert_true(entry_read(bytes.span, &entry));
	assert_int_equal(entry.seq, 300);
	assert_int_equal(entry.recorded_us, 1700000000500000);
	assert_int_equal(entry.occurred_us, 1700000000400000);
	assert_int_equal(entry.stream, 1);
	assert_int_equal(entry.stream_version, 17);
	assert_int_equal(entry.epoch, 2);
	assert_int_equal(entry.type, 101);
	assert_true(entry.has_cause);
	assert_int_equal(entry.cause, 299);
	assert_int_equal(entry.parts, 2);
	assert_int_equal(entry.part[0].length, 35);
	assert_int_equal(entry.part[1].subject.bytes[0], 0x40);
	assert_int_equal(entry.nonce[0], 0x80);
	free(bytes.memory);
	json_decref(root);
}

static struct span
part_of(uint8_t *memory, size_t size, unsigned part, const struct event *event)
{
	struct mp_writer w = mp_writer_of(memory, size);

	record_write_part(&w, event_describe(event->type)->shape, part, event_fields_const(event));
	return mp_written(&w);
}

static void
test_an_entry_gives_its_event_back(void **state)
{
	struct event event = { .type = EVENT_AGENT_REGISTERED,
			       .occurred_us = 5,
			       .agent_registered = {
				       .agent = { { 1 } }, .room = { { 2 } }, .gateway = 3 } };
	uint8_t fields[256], first[256], second[256];
	struct mp_writer w = mp_writer_of(fields, sizeof fields);
	struct event_agent_registered *registered = &event.agent_registered;
	struct entry entry = { .seq = 10, .stream = 1, .type = 101, .type_version = 1, .parts = 2 };
	struct event out;

	(void)state;
	name_set(&registered->agent_name, "agent-1", 7);
	name_set(&registered->room_name, "default", 7);
	record_write_clear(&w, event_describe(101)->shape, event_fields_const(&event));
	entry.fields = mp_written(&w);
	entry.has_cause = true;
	entry.cause = 8;
	const struct span plain[] = { part_of(first, sizeof first, 0, &event),
				      part_of(second, sizeof second, 1, &event) };
	assert_int_equal(entry_to_event(&entry, plain, &out), ENTRY_KNOWN);
	assert_int_equal(out.cause_back, 2);
	assert_true(name_equal(&out.agent_registered.agent_name, &registered->agent_name));
	assert_true(name_equal(&out.agent_registered.room_name, &registered->room_name));

	assert_int_equal(entry_to_event(&entry, NULL, &out), ENTRY_KNOWN);
	assert_int_equal(out.agent_registered.agent_name.length, 0);
	assert_int_equal(out.agent_registered.gateway, 3);

	const struct span swapped[] = { plain[1], plain[0] };
	assert_int_equal(entry_to_event(&entry, swapped, &out), ENTRY_BROKEN);
	entry.parts = 1;
	assert_int_equal(entry_to_event(&entry, NULL, &out), ENTRY_BROKEN);
	entry.parts = 2;
	entry.type_version = 2;
	assert_int_equal(entry_to_event(&entry, NULL, &out), ENTRY_FOREIGN);
	entry.type = 64000;
	assert_int_equal(entry_to_event(&entry, NULL, &out), ENTRY_FOREIGN);
}

/* turn_allocation_created had no client_transport in version 1 (it was UDP), and no second relayed
 * address before version 3. */
static void
test_an_older_version_lacks_the_last_fields(void **state)
{
	const struct address also = { .family = ADDRESS_IPV6, .bytes = { 0x20, 1 }, .port = 7 };
	const struct event event = {
		.type = EVENT_TURN_ALLOCATION_CREATED,
		.turn_allocation_created = { .relay = 3,
					     .expires_us = 9,
					     .client_transport = 1,
					     .relayed_also = also },
	};
	const struct event_description *now = event_describe(EVENT_TURN_ALLOCATION_CREATED);
	struct entry entry = { .seq = 1, .type = EVENT_TURN_ALLOCATION_CREATED, .parts = 1 };
	uint8_t memory[256];
	struct event out;

	(void)state;
	for (uint64_t version = 1; version <= 3; version++) {
		const struct record_shape shape = { now->shape.fields,
						    now->shape.count - (3 - version) };
		struct mp_writer w = mp_writer_of(memory, sizeof memory);
		record_write_clear(&w, shape, event_fields_const(&event));
		entry.fields = mp_written(&w);
		entry.type_version = version;
		assert_int_equal(entry_to_event(&entry, NULL, &out), ENTRY_KNOWN);
		assert_int_equal(out.turn_allocation_created.expires_us, 9);
		assert_int_equal(out.turn_allocation_created.client_transport, version >= 2);
		assert_int_equal(out.turn_allocation_created.relayed_also.port,
				 version == 3 ? 7 : 0);
		/* What lacks a field may not say that it is of the newest version. */
		entry.type_version = 3;
		assert_int_equal(entry_to_event(&entry, NULL, &out),
				 version < 3 ? ENTRY_BROKEN : ENTRY_KNOWN);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_accepted_entry_is_read_and_written_again),
		cmocka_unit_test(test_every_refused_entry_is_refused),
		cmocka_unit_test(test_threat_G8_an_edited_entry_has_another_hash),
		cmocka_unit_test(test_elements_stand_where_the_vectors_say),
		cmocka_unit_test(test_an_entry_gives_its_event_back),
		cmocka_unit_test(test_an_older_version_lacks_the_last_fields),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
