#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <jansson.h>

#include "replay/ocsf.h"
#include "tests/disclosed_fixture.h"

#define ORIGIN "ifswarm.local/test"

/* What OCSF 1.3.0 requires: of every class (base_event), and of each. A path with dots goes into
 * objects. */
static const struct {
	json_int_t class_uid; /* 0: all */
	const char *path;
} required[] = {
	{ 0, "activity_id" },
	{ 0, "category_uid" },
	{ 0, "class_uid" },
	{ 0, "type_uid" },
	{ 0, "severity_id" },
	{ 0, "time" },
	{ 0, "metadata.version" },
	{ 0, "metadata.product.vendor_name" },
	{ 0, "metadata.product.name" },
	{ 0, "metadata.uid" },
	{ 0, "metadata.original_time" },
	{ 0, "status_id" },
	{ 0, "unmapped.seq" },
	{ 0, "unmapped.leaf_hash" },
	{ 3002, "user.type_id" },
	{ 3002, "service.name" }, /* at least one of service, dst_endpoint */
	{ 3004, "entity.name" },
	{ 4001, "dst_endpoint" },
	{ 4001, "connection_info.direction_id" },
	{ 4014, "src_endpoint" }, /* at least one of several */
	{ 4014, "tunnel_type_id" },
	{ 4014, "connection_info.direction_id" },
};

/* Objects of which OCSF wants at least one of these attributes. */
static const struct {
	const char *path;
	const char *one_of[6];
} constraints[] = {
	{ "user", { "name", "uid" } },
	{ "actor.user", { "name", "uid" } },
	{ "entity", { "name", "uid" } },
	{ "src_endpoint", { "ip", "uid", "name", "hostname", "svc_name" } },
	{ "dst_endpoint", { "ip", "uid", "name", "hostname", "svc_name" } },
};

/* The activities that each class has. */
static const struct {
	json_int_t class_uid;
	const char *activities; /* separated and enclosed by blanks */
} activities[] = {
	{ 3002, " 0 1 2 3 4 5 6 99 " },
	{ 3004, " 0 1 2 3 4 5 6 7 8 9 10 11 12 13 99 " },
	{ 4001, " 0 1 2 3 4 5 6 99 " },
	{ 4014, " 0 1 2 3 99 " },
};

static const json_t *
find(const json_t *object, const char *path)
{
	char step[32];

	while (object != NULL && *path != '\0') {
		const size_t count = strcspn(path, ".");
		snprintf(step, sizeof step, "%.*s", (int)count, path);
		object = json_object_get(object, step);
		path += count + (path[count] == '.');
	}
	return object;
}

static json_int_t
number(const json_t *object, const char *path)
{
	return json_integer_value(find(object, path));
}

static const char *
lacks_required(const json_t *line)
{
	for (size_t i = 0; i < sizeof required / sizeof required[0]; i++) {
		if ((required[i].class_uid == 0 ||
		     required[i].class_uid == number(line, "class_uid")) &&
		    find(line, required[i].path) == NULL) {
			return required[i].path;
		}
	}
	for (size_t i = 0; i < sizeof constraints / sizeof constraints[0]; i++) {
		const json_t *object = find(line, constraints[i].path);
		bool is_met = object == NULL;
		for (size_t j = 0; j < 6 && constraints[i].one_of[j] != NULL; j++) {
			is_met = is_met || find(object, constraints[i].one_of[j]) != NULL;
		}
		if (!is_met) {
			return constraints[i].path;
		}
	}
	return NULL;
}

static const char *
is_inconsistent(const json_t *line)
{
	const json_int_t class_uid = number(line, "class_uid");
	const json_int_t activity_id = number(line, "activity_id");
	char wanted[16];

	if (number(line, "type_uid") != class_uid * 100 + activity_id) {
		return "type_uid";
	}
	if (number(line, "category_uid") != class_uid / 1000) {
		return "category_uid";
	}
	snprintf(wanted, sizeof wanted, " %d ", (int)activity_id);
	for (size_t i = 0; i < sizeof activities / sizeof activities[0]; i++) {
		if (activities[i].class_uid == class_uid) {
			return strstr(activities[i].activities, wanted) != NULL ? NULL
										: "activity_id";
		}
	}
	return "class_uid";
}

/* An observable points to an attribute, and repeats its value. */
static const char *
has_stray_observable(const json_t *line)
{
	const json_t *list = find(line, "observables");

	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *one = json_array_get(list, i);
		const json_t *value = find(line, json_string_value(find(one, "name")));
		if (find(one, "type_id") == NULL || !json_equal(value, find(one, "value"))) {
			return json_string_value(find(one, "name"));
		}
	}
	return NULL;
}

static json_t *
line_of(const struct disclosed *disclosed)
{
	struct json_line text = { 0 };
	json_error_t error;

	ocsf_line(&text, disclosed, ORIGIN);
	for (size_t i = 0; i < text.count; i++) {
		assert_true(text.text[i] >= 0x20 && text.text[i] < 0x7F);
	}
	json_t *line = json_loadb(text.text, text.count, JSON_REJECT_DUPLICATES, &error);
	assert_non_null(line);
	json_line_free(&text);
	return line;
}

static void
check(const char *what, const struct disclosed *disclosed)
{
	json_t *line = line_of(disclosed);
	const char *fault = lacks_required(line);

	if (fault != NULL) {
		fail_msg("%s lacks %s", what, fault);
	}
	if ((fault = is_inconsistent(line)) != NULL) {
		fail_msg("%s has a wrong %s", what, fault);
	}
	if ((fault = has_stray_observable(line)) != NULL) {
		fail_msg("%s: the observable %s points nowhere", what, fault);
	}
	json_decref(line);
}

static void
every_type_satisfies_its_class(void **state)
{
	struct sample sample;

	(void)state;
	for (size_t i = 0; i < event_types(); i++) {
		const struct event_description *one = event_describe_at(i);
		sample_make(&sample, one->type, i, "alice");
		check(one->name, &sample.disclosed);
		sample_make_bare(&sample, one->type, i);
		check(one->name, &sample.disclosed);
	}
}

static const struct {
	const char *name;
	enum event_type type;
	json_int_t type_uid;
	const char *path;
	const char *value;
} rows[] = {
	{ "a registration is a logon", EVENT_AGENT_REGISTERED, 300201, "user.name", "alice" },
	{ "and says from where", EVENT_AGENT_REGISTERED, 300201, "src_endpoint.ip", "192.0.2.7" },
	{ "a departure is a logoff", EVENT_AGENT_DISCONNECTED, 300202, "service.name",
	  "signaling" },
	{ "a refusal is no logon", EVENT_TURN_REQUEST_REFUSED, 300299, "service.name", "TURN" },
	{ "an allocation opens", EVENT_TURN_ALLOCATION_CREATED, 401401, "user.name", "alice" },
	{ "is renewed", EVENT_TURN_ALLOCATION_REFRESHED, 401403, "tunnel_type", "TURN relay" },
	{ "and closes", EVENT_TURN_ALLOCATION_ENDED, 401402, "protocol_name", "TURN" },
	{ "a permission", EVENT_TURN_PERMISSION_INSTALLED, 401499, "activity_name", "Permit" },
	{ "usage is traffic", EVENT_TURN_RELAY_USAGE, 400106, "dst_endpoint.ip", "192.0.2.8" },
	{ "a signal is traffic", EVENT_SDP_OFFER_RELAYED, 400106, "app_name", "signaling" },
	{ "a hold is created", EVENT_HOLD_PLACED, 300401, "entity.type", "hold" },
	{ "an export is a read", EVENT_EXPORT_MADE, 300402, "actor.user.name", "alice" },
	{ "an erasure deletes", EVENT_ERASED, 300404, "entity.name", "erasure" },
	{ "a claim is a claim", EVENT_CLAIM_REPORTED, 300499, "entity.type", "claim" },
	{ "the type has its code", EVENT_LOG_PRUNED, 300404, "metadata.event_code", "log_pruned" },
};

static void
events_are_what_a_siem_expects(void **state)
{
	struct sample sample;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		sample_make(&sample, rows[i].type, i, "alice");
		json_t *line = line_of(&sample.disclosed);
		const char *value = json_string_value(find(line, rows[i].path));
		if (number(line, "type_uid") != rows[i].type_uid || value == NULL ||
		    strcmp(value, rows[i].value) != 0) {
			fail_msg("%s: %d, %s", rows[i].name, (int)number(line, "type_uid"),
				 value == NULL ? "nothing" : value);
		}
		json_decref(line);
	}
}

static void
bytes_and_times_are_counted(void **state)
{
	struct sample sample;

	(void)state;
	sample_make(&sample, EVENT_TURN_RELAY_USAGE, 1, "alice");
	sample.event.turn_relay_usage.bytes_up = 100;
	sample.event.turn_relay_usage.bytes_down = 23;
	json_t *line = line_of(&sample.disclosed);
	assert_int_equal(number(line, "traffic.bytes"), 123);
	assert_int_equal(number(line, "traffic.bytes_out"), 100);
	assert_int_equal(number(line, "traffic.bytes_in"), 23);
	assert_true(number(line, "time") == INT64_C(1790000000998));
	assert_true(number(line, "metadata.logged_time") == INT64_C(1790000001000));
	json_decref(line);
}

static void
an_ipv6_address_stands_bare(void **state)
{
	struct sample sample;

	(void)state;
	sample_make(&sample, EVENT_AGENT_REGISTERED, 1, "alice");
	sample.event.agent_registered.client =
		(struct address){ ADDRESS_IPV6, { 0x20, 1, 0x0d, 0xb8, [15] = 1 }, 443 };
	json_t *line = line_of(&sample.disclosed);
	assert_string_equal(json_string_value(find(line, "src_endpoint.ip")), "2001:db8::1");
	assert_int_equal(number(line, "src_endpoint.port"), 443);
	json_decref(line);
}

/* What does not fit is left out, and said to be. */
static void
hostile_words_stay_one_line(void **state)
{
	static const char *const words[] = { "\x1B[2J\n", "\xE2\x80\xAE", "\xFF\xFE", "\"}\n{\"" };
	char longest[JSON_BYTES_MAX + 1];
	struct sample sample;

	(void)state;
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
		sample_make(&sample, EVENT_CLAIM_REPORTED, i, words[i]);
		check(words[i], &sample.disclosed);
	}
	memset(longest, '\x01', sizeof longest - 1);
	longest[sizeof longest - 1] = '\0';
	sample_make(&sample, EVENT_CLAIM_REPORTED, 9, longest);
	json_t *line = line_of(&sample.disclosed);
	assert_true(json_is_true(find(line, "unmapped.is_cut")) ||
		    find(line, "unmapped.fields") != NULL);
	json_decref(line);
}

static void
an_unknown_type_is_told(void **state)
{
	struct sample sample;

	(void)state;
	sample_make(&sample, EVENT_WITNESS_STOPPED, 0, "");
	sample.entry.type = 999;
	sample.disclosed.event = NULL;
	check("an unknown type", &sample.disclosed);
	json_t *line = line_of(&sample.disclosed);
	assert_int_equal(number(line, "unmapped.type"), 999);
	json_decref(line);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_type_satisfies_its_class),
		cmocka_unit_test(events_are_what_a_siem_expects),
		cmocka_unit_test(bytes_and_times_are_counted),
		cmocka_unit_test(an_ipv6_address_stands_bare),
		cmocka_unit_test(hostile_words_stay_one_line),
		cmocka_unit_test(an_unknown_type_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
