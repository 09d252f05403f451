#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "replay/discloser.h"
#include "tests/disclosed_fixture.h"

static const uint8_t key[PSEUDONYM_KEY_BYTES] = { 7, 7, 7 };
static const uint8_t other_key[PSEUDONYM_KEY_BYTES] = { 8 };

static struct name
name_of(const char *word)
{
	struct name name = { 0 };

	name_set(&name, word, strlen(word));
	return name;
}

static void
profiles_have_words(void **state)
{
	enum profile profile = PROFILE_NONE;

	(void)state;
	for (unsigned i = PROFILE_NONE; i <= PROFILE_ENVELOPE; i++) {
		assert_true(profile_from_word(profile_name((enum profile)i), &profile));
		assert_int_equal(profile, i);
	}
	assert_false(profile_from_word("None", &profile));
	assert_false(profile_from_word("", &profile));
}

static const struct {
	const char *name;
	enum pseudonym_kind kind;
	const char *one, *other;
	bool is_same;
} rows[] = {
	{ "one name is one pseudonym", PSEUDONYM_AGENT, "alice", "alice", true },
	{ "a TURN user is the agent in it", PSEUDONYM_AGENT, "alice", "1790003600:alice", true },
	{ "two names are two", PSEUDONYM_AGENT, "alice", "alicf", false },
	{ "case counts", PSEUDONYM_AGENT, "alice", "Alice", false },
	{ "a room's colon is the room's", PSEUDONYM_ROOM, "lobby", "1:lobby", false },
};

static void
pseudonyms(void **state)
{
	struct discloser discloser;

	(void)state;
	discloser_make(&discloser, PROFILE_PSEUDONYMOUS, key);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const struct name one = name_of(rows[i].one), other = name_of(rows[i].other);
		const struct name a = discloser_name(&discloser, rows[i].kind, &one);
		const struct name b = discloser_name(&discloser, rows[i].kind, &other);
		if (name_equal(&a, &b) != rows[i].is_same) {
			fail_msg("%s", rows[i].name);
		}
	}
}

static void
pseudonyms_tell_kind_and_nothing_else(void **state)
{
	struct discloser first, second;
	const struct name alice = name_of("alice"), nobody = { 0 };

	(void)state;
	discloser_make(&first, PROFILE_PSEUDONYMOUS, key);
	discloser_make(&second, PROFILE_PSEUDONYMOUS, other_key);
	const struct name agent = discloser_name(&first, PSEUDONYM_AGENT, &alice);
	const struct name room = discloser_name(&first, PSEUDONYM_ROOM, &alice);
	const struct name elsewhere = discloser_name(&second, PSEUDONYM_AGENT, &alice);
	const struct name none = discloser_name(&first, PSEUDONYM_AGENT, &nobody);
	assert_memory_equal(agent.bytes, "agent-", 6);
	assert_memory_equal(room.bytes, "room-", 5);
	assert_int_equal(agent.length, 6 + PSEUDONYM_DIGITS);
	assert_memory_not_equal(agent.bytes + 6, room.bytes + 5, PSEUDONYM_DIGITS);
	assert_false(name_equal(&agent, &elsewhere));
	assert_int_equal(none.length, 0);
}

static bool
contains(const struct event *event, const char *bytes, size_t count)
{
	return memmem(event, sizeof *event, bytes, count) != NULL;
}

/* No byte of a name, of a stranger's words or of an address is left in any event of any type. */
static void
nothing_personal_is_left(void **state)
{
	static const enum profile profiles[] = { PROFILE_PSEUDONYMOUS, PROFILE_ENVELOPE };
	struct discloser discloser;
	struct sample sample;
	struct disclosed out;

	(void)state;
	for (size_t p = 0; p < 2; p++) {
		discloser_make(&discloser, profiles[p], key);
		for (size_t i = 0; i < event_types(); i++) {
			const struct record_shape shape = event_describe_at(i)->shape;
			sample_make_bare(&sample, event_describe_at(i)->type, i);
			for (size_t j = 0; j < shape.count; j++) {
				if (shape.fields[j].place == PLACE_SEALED0 ||
				    shape.fields[j].place == PLACE_SEALED1) {
					sample_fill_field(&sample.event, &shape.fields[j], 0xE6,
							  "Zebulon");
				}
			}
			discloser_disclose(&discloser, &sample.entry, sample.disclosed.bytes,
					   &sample.event, NULL, NULL, &out);
			assert_int_equal(out.event->type, sample.event.type);
			assert_false(contains(out.event, "Zebulon", 7));
			assert_false(contains(out.event, "\xC0\x00\x02\xE7", 4));
			assert_memory_equal(&out.leaf, &sample.disclosed.leaf, sizeof out.leaf);
		}
	}
}

static void
what_is_in_the_clear_stays(void **state)
{
	struct discloser discloser;
	struct sample sample;
	struct disclosed out;

	(void)state;
	discloser_make(&discloser, PROFILE_ENVELOPE, NULL);
	sample_make(&sample, EVENT_TURN_ALLOCATION_CREATED, 3, "alice");
	discloser_disclose(&discloser, &sample.entry, sample.disclosed.bytes, &sample.event, NULL,
			   NULL, &out);
	assert_memory_equal(&out.event->turn_allocation_created.user,
			    &sample.event.turn_allocation_created.user, sizeof(struct id));
	assert_int_equal(out.event->turn_allocation_created.relayed.family, ADDRESS_IPV4);
	assert_int_equal(out.event->turn_allocation_created.user_name.length, 0);
	assert_int_equal(out.event->turn_allocation_created.client.family, ADDRESS_NONE);
}

static void
sealed_rows_leave_only_without_a_profile(void **state)
{
	const struct span salt[SEALED_PARTS_MAX] = { { (const uint8_t *)"salt", 4 } };
	const struct span body[SEALED_PARTS_MAX] = { { (const uint8_t *)"body", 4 } };
	struct discloser discloser;
	struct sample sample;
	struct disclosed out;

	(void)state;
	sample_make(&sample, EVENT_AGENT_REGISTERED, 3, "alice");
	sample.entry.parts = 2;
	for (unsigned i = PROFILE_NONE; i <= PROFILE_ENVELOPE; i++) {
		discloser_make(&discloser, (enum profile)i, key);
		discloser_disclose(&discloser, &sample.entry, sample.disclosed.bytes, &sample.event,
				   salt, body, &out);
		assert_int_equal(out.body[0].count, i == PROFILE_NONE ? 4 : 0);
		assert_int_equal(out.salt[0].count, i == PROFILE_NONE ? 4 : 0);
		assert_int_equal(out.body[1].count, 0);
	}
	discloser_disclose(&discloser, &sample.entry, sample.disclosed.bytes, NULL, salt, body,
			   &out);
	assert_null(out.event);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(profiles_have_words),
		cmocka_unit_test(pseudonyms),
		cmocka_unit_test(pseudonyms_tell_kind_and_nothing_else),
		cmocka_unit_test(nothing_personal_is_left),
		cmocka_unit_test(what_is_in_the_clear_stays),
		cmocka_unit_test(sealed_rows_leave_only_without_a_profile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
