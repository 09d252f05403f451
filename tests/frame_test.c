/* JSON frames: what is read, what is refused, what is written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/frame.h"

static struct name
name_of(const char *word)
{
	struct name name;

	name_set(&name, word, strlen(word));
	return name;
}

static enum verdict
parse(const char *text, struct frame *out)
{
	return frame_parse((struct span){ (const uint8_t *)text, strlen(text) }, out);
}

static const struct {
	const char *name;
	const char *text;
	enum verdict verdict;
} rows[] = {
	{ "register", "{\"type\":\"register\",\"agent_id\":\"A\"}", ACCEPTED },
	{ "register with a room and what we do not know",
	  "{\"type\":\"register\",\"agent_id\":\"A\",\"room\":\"den\",\"token\":\"x\",\"resume\":{}"
	  "}",
	  ACCEPTED },
	{ "register with room null", "{\"type\":\"register\",\"agent_id\":\"A\",\"room\":null}",
	  ACCEPTED },
	{ "blanks around it", " \n{\"type\":\"register\",\"agent_id\":\"A\"}\r\n", ACCEPTED },
	{ "register without agent_id", "{\"type\":\"register\"}", REFUSED_NAME },
	{ "agent_id is a number", "{\"type\":\"register\",\"agent_id\":1}", REFUSED_NAME },
	{ "agent_id is empty", "{\"type\":\"register\",\"agent_id\":\"\"}", REFUSED_NAME },
	{ "agent_id with a control character", "{\"type\":\"register\",\"agent_id\":\"a\\u0007\"}",
	  REFUSED_NAME },
	{ "agent_id with NUL", "{\"type\":\"register\",\"agent_id\":\"a\\u0000b\"}",
	  REFUSED_FRAME },
	{ "threat_H11: room is a number", "{\"type\":\"register\",\"agent_id\":\"A\",\"room\":7}",
	  REFUSED_ROOM },
	{ "threat_H11: room is empty", "{\"type\":\"register\",\"agent_id\":\"A\",\"room\":\"\"}",
	  REFUSED_ROOM },
	{ "offer",
	  "{\"type\":\"offer\",\"from\":\"A\",\"to\":\"B\",\"offer\":{\"type\":\"offer\",\"sdp\":"
	  "\"v=0\"}}",
	  ACCEPTED },
	{ "answer", "{\"type\":\"answer\",\"from\":\"A\",\"to\":\"B\",\"answer\":{}}", ACCEPTED },
	{ "candidate",
	  "{\"type\":\"ice-candidate\",\"from\":\"A\",\"to\":\"B\",\"candidate\":{\"candidate\":"
	  "\"x\"}}",
	  ACCEPTED },
	{ "the end of candidates",
	  "{\"type\":\"ice-candidate\",\"from\":\"A\",\"to\":\"B\",\"candidate\":null}", ACCEPTED },
	{ "offer without its offer", "{\"type\":\"offer\",\"from\":\"A\",\"to\":\"B\"}",
	  REFUSED_FRAME },
	{ "offer with an answer in it",
	  "{\"type\":\"offer\",\"from\":\"A\",\"to\":\"B\",\"answer\":{}}", REFUSED_FRAME },
	{ "offer that is text",
	  "{\"type\":\"offer\",\"from\":\"A\",\"to\":\"B\",\"offer\":\"sdp\"}", REFUSED_FRAME },
	{ "offer whose sdp is no text",
	  "{\"type\":\"offer\",\"from\":\"A\",\"to\":\"B\",\"offer\":{\"sdp\":1}}", REFUSED_FRAME },
	{ "candidate that is text",
	  "{\"type\":\"ice-candidate\",\"from\":\"A\",\"to\":\"B\",\"candidate\":\"x\"}",
	  REFUSED_FRAME },
	{ "offer without from", "{\"type\":\"offer\",\"to\":\"B\",\"offer\":{}}", REFUSED_SPOOFED },
	{ "offer with a list as from", "{\"type\":\"offer\",\"from\":[],\"to\":\"B\",\"offer\":{}}",
	  REFUSED_SPOOFED },
	{ "offer without to", "{\"type\":\"offer\",\"from\":\"A\",\"offer\":{}}", REFUSED_FRAME },
	{ "offer with a number as to", "{\"type\":\"offer\",\"from\":\"A\",\"to\":2,\"offer\":{}}",
	  REFUSED_FRAME },
	{ "a key twice", "{\"type\":\"register\",\"agent_id\":\"A\",\"agent_id\":\"B\"}",
	  REFUSED_FRAME },
	{ "an unknown type", "{\"type\":\"shout\"}", REFUSED_FRAME },
	{ "a type that is no text", "{\"type\":1}", REFUSED_FRAME },
	{ "no type", "{}", REFUSED_FRAME },
	{ "nothing", "", REFUSED_FRAME },
	{ "no JSON", "hello", REFUSED_FRAME },
	{ "half a frame", "{\"type\":\"register\"", REFUSED_FRAME },
	{ "two objects", "{\"type\":\"register\",\"agent_id\":\"A\"}{}", REFUSED_FRAME },
	{ "a list", "[]", REFUSED_FRAME },
	{ "a text", "\"register\"", REFUSED_FRAME },
	{ "bytes that are no UTF-8", "{\"type\":\"register\",\"agent_id\":\"\xC3\x28\"}",
	  REFUSED_FRAME },
	{ "half a surrogate", "{\"type\":\"register\",\"agent_id\":\"\\ud800\"}", REFUSED_FRAME },
	{ "brackets in a text are no depth",
	  "{\"type\":\"register\",\"agent_id\":\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\\\"[[[[[[[[["
	  "\"}",
	  ACCEPTED },
};

static void
frames_are_read_or_refused(void **unused)
{
	struct frame frame;

	(void)unused;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		print_message("  %s\n", rows[i].name);
		assert_int_equal(parse(rows[i].text, &frame), rows[i].verdict);
	}
}

static void
fields_arrive(void **unused)
{
	const struct name a = name_of("A"), b = name_of("B"), den = name_of("den"),
			  preset = name_of("default");
	struct frame frame;

	(void)unused;
	assert_int_equal(
		parse("{\"type\":\"register\",\"agent_id\":\"A\",\"room\":\"den\"}", &frame),
		ACCEPTED);
	assert_true(frame.is_register);
	assert_true(name_equal(&frame.agent, &a));
	assert_true(name_equal(&frame.room, &den));
	assert_int_equal(parse("{\"type\":\"register\",\"agent_id\":\"A\"}", &frame), ACCEPTED);
	assert_true(name_equal(&frame.room, &preset));
	assert_int_equal(
		parse("{\"type\":\"answer\",\"from\":\"A\",\"to\":\"B\",\"answer\":{}}", &frame),
		ACCEPTED);
	assert_false(frame.is_register);
	assert_int_equal(frame.kind, SIGNAL_ANSWER);
	assert_true(name_equal(&frame.from, &a));
	assert_true(name_equal(&frame.to, &b));
}

static void
depth_and_size_are_bounded(void **unused)
{
	static char text[FRAME_BYTES_MAX + 2];
	struct frame frame;

	(void)unused;
	memset(text, '[', 30000);
	assert_int_equal(parse(text, &frame), REFUSED_FRAME);
	memset(text, ' ', FRAME_BYTES_MAX + 1);
	memcpy(text, "{\"type\":\"register\",\"agent_id\":\"A\"}", 34);
	assert_int_equal(parse(text, &frame), REFUSED_FRAME);
	text[FRAME_BYTES_MAX] = '\0';
	assert_int_equal(parse(text, &frame), ACCEPTED);
	/* The longest name, and one byte more. */
	snprintf(text, sizeof text, "{\"type\":\"register\",\"agent_id\":\"%0256d\"}", 0);
	assert_int_equal(parse(text, &frame), ACCEPTED);
	snprintf(text, sizeof text, "{\"type\":\"register\",\"agent_id\":\"%0257d\"}", 0);
	assert_int_equal(parse(text, &frame), REFUSED_NAME);
}

static struct name others[2];

static const struct name *
next_other(void *context)
{
	size_t *at = context;

	return *at < 2 ? &others[(*at)++] : NULL;
}

static void
assert_text(char *text, const char *expected)
{
	assert_string_equal(text, expected);
	free(text);
}

static void
frames_are_written(void **unused)
{
	const struct name a = name_of("A"), quoted = name_of("\"\\"), room = name_of("den"),
			  none = { 0 };
	struct ice ice = { .count = 1, .username = "1:A", .credential = "secret" };
	size_t at = 0;

	(void)unused;
	strcpy(ice.hosts[0], "192.0.2.1:3478");
	others[0] = name_of("B");
	others[1] = quoted;
	assert_text(
		frame_write_registered(&a, &room, (struct frame_roster){ next_other, &at }, &ice),
		"{\"type\":\"registered\",\"agent_id\":\"A\",\"connected_agents\":[\"B\","
		"\"\\\"\\\\\"],"
		"\"room\":\"den\",\"ice_servers\":[{\"urls\":[\"stun:192.0.2.1:3478\"]},"
		"{\"urls\":[\"turn:192.0.2.1:3478?transport=udp\"],\"username\":\"1:A\","
		"\"credential\":\"secret\"}]}");
	at = 0;
	ice.over_tcp = true;
	assert_text(
		frame_write_registered(&a, &room, (struct frame_roster){ next_other, &at }, &ice),
		"{\"type\":\"registered\",\"agent_id\":\"A\",\"connected_agents\":[\"B\","
		"\"\\\"\\\\\"],"
		"\"room\":\"den\",\"ice_servers\":[{\"urls\":[\"stun:192.0.2.1:3478\"]},"
		"{\"urls\":[\"turn:192.0.2.1:3478?transport=udp\","
		"\"turn:192.0.2.1:3478?transport=tcp\"],\"username\":\"1:A\","
		"\"credential\":\"secret\"}]}");
	ice.over_tcp = false;
	ice.tls_count = 1;
	snprintf(ice.tls_hosts[0], ICE_URL_BYTES_MAX, "turn.example.org:5349");
	at = 0;
	assert_text(
		frame_write_registered(&a, &room, (struct frame_roster){ next_other, &at }, &ice),
		"{\"type\":\"registered\",\"agent_id\":\"A\",\"connected_agents\":[\"B\","
		"\"\\\"\\\\\"],"
		"\"room\":\"den\",\"ice_servers\":[{\"urls\":[\"stun:192.0.2.1:3478\"]},"
		"{\"urls\":[\"turn:192.0.2.1:3478?transport=udp\","
		"\"turns:turn.example.org:5349?transport=tcp\"],\"username\":\"1:A\","
		"\"credential\":\"secret\"}]}");
	ice.username = "";
	assert_text(
		frame_write_registered(&a, &room, (struct frame_roster){ next_other, &at }, &ice),
		"{\"type\":\"registered\",\"agent_id\":\"A\",\"connected_agents\":[],\"room\":"
		"\"den\","
		"\"ice_servers\":[{\"urls\":[\"stun:192.0.2.1:3478\"]}]}");
	assert_text(frame_write_joined(&quoted),
		    "{\"type\":\"agent-joined\",\"agent_id\":\"\\\"\\\\\"}");
	assert_text(frame_write_left(&a), "{\"type\":\"agent-left\",\"agent_id\":\"A\"}");
	assert_text(frame_write_error(REFUSED_NO_SUCH_AGENT, &a),
		    "{\"type\":\"error\",\"message\":\"Agent A not "
		    "found\",\"code\":\"AGENT_NOT_FOUND\"}");
	assert_text(
		frame_write_error(REFUSED_NOT_REGISTERED, &none),
		"{\"type\":\"error\",\"message\":\"register first\",\"code\":\"NOT_REGISTERED\"}");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames_are_read_or_refused),
		cmocka_unit_test(fields_arrive),
		cmocka_unit_test(depth_and_size_are_bounded),
		cmocka_unit_test(frames_are_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
