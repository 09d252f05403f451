#include "replay/ocsf.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "protocol/verdict.h"
#include "replay/fields.h"
#include "replay/moment.h"

/* Numbers of OCSF 1.3.0. */
enum ocsf_class {
	CLASS_AUTHENTICATION = 3002,
	CLASS_ENTITY = 3004,
	CLASS_NETWORK = 4001,
	CLASS_TUNNEL = 4014,
};
enum {
	ACTIVITY_LOGON = 1,
	ACTIVITY_LOGOFF = 2,
	ACTIVITY_CREATE = 1,
	ACTIVITY_READ = 2,
	ACTIVITY_UPDATE = 3,
	ACTIVITY_DELETE = 4,
	ACTIVITY_ENROLL = 6,
	ACTIVITY_ACTIVATE = 10,
	ACTIVITY_DEACTIVATE = 11,
	ACTIVITY_SUSPEND = 12,
	ACTIVITY_RESUME = 13,
	ACTIVITY_TRAFFIC = 6,
	ACTIVITY_OPEN = 1,
	ACTIVITY_CLOSE = 2,
	ACTIVITY_RENEW = 3,
	ACTIVITY_OTHER = 99,
};
enum { SEVERITY_INFORMATIONAL = 1, SEVERITY_LOW = 2, SEVERITY_MEDIUM = 3, SEVERITY_HIGH = 4 };
enum { STATUS_UNKNOWN = 0, STATUS_SUCCESS = 1, STATUS_FAILURE = 2 };
enum { OBSERVABLE_IP = 2, OBSERVABLE_USERNAME = 4, OBSERVABLE_RESOURCE_UID = 10 };
enum { USER_UNKNOWN = 0, USER_USER = 1, USER_ADMIN = 2 };
enum { DIRECTION_UNKNOWN = 0, DIRECTION_INBOUND = 1, DIRECTION_LATERAL = 3, TUNNEL_OTHER = 99 };
enum { PROTOCOL_TCP = 6, PROTOCOL_UDP = 17 };

struct kind {
	enum event_type type;
	enum ocsf_class class_uid;
	int activity_id;
	const char *activity_name;
	const char *entity;
	int severity_id;
	int status_id;
};

static const struct kind kinds[] = {
#define OCSF(event, class, activity, name, entity, severity, status)                               \
	{ EVENT_##event, CLASS_##class,       ACTIVITY_##activity, name,                           \
	  entity,        SEVERITY_##severity, STATUS_##status },
#include "replay/ocsf.def"
#undef OCSF
};

/* What this program does not know (or the table not yet) is still told. */
static const struct kind kind_of_unknown = {
	0, CLASS_ENTITY, ACTIVITY_OTHER, "Record", "event", SEVERITY_INFORMATIONAL, STATUS_UNKNOWN
};

static const struct {
	enum ocsf_class class_uid;
	const char *name, *category;
} classes[] = {
	{ CLASS_AUTHENTICATION, "Authentication", "Identity & Access Management" },
	{ CLASS_ENTITY, "Entity Management", "Identity & Access Management" },
	{ CLASS_NETWORK, "Network Activity", "Network Activity" },
	{ CLASS_TUNNEL, "Tunnel Activity", "Network Activity" },
};

/* What a line says twice: where, and, at its end, that it can be looked for. */
struct observable {
	char name[32]; /* the attribute: "user.uid" */
	int type_id;
	const struct id *uid;    /* one of these three */
	const struct name *text; /* borrowed from the event */
	char ip[ADDRESS_PRINT_MAX];
};
enum { OBSERVABLES_MAX = 8 };

/* One line in the making. */
struct line {
	struct json_line *json;
	const struct disclosed *d;
	const struct kind *kind;
	struct observable observables[OBSERVABLES_MAX];
	size_t observed;
};

static const struct kind *
kind_of(const struct event *event)
{
	for (size_t i = 0; event != NULL && i < sizeof kinds / sizeof kinds[0]; i++) {
		if (kinds[i].type == event->type) {
			return &kinds[i];
		}
	}
	return &kind_of_unknown;
}

/* A field by its name; NULL if the event has none such, or it is of another kind. */
static const void *
field_of(const struct event *event, const char *name, enum field_kind kind)
{
	if (event == NULL) {
		return NULL;
	}
	const struct record_shape shape = event_describe(event->type)->shape;
	for (size_t i = 0; i < shape.count; i++) {
		if (shape.fields[i].kind == kind && strcmp(shape.fields[i].name, name) == 0) {
			return (const uint8_t *)event_fields_const(event) + shape.fields[i].offset;
		}
	}
	return NULL;
}

/* The first of those fields that holds something. */
static const struct name *
name_of(const struct line *line, const char *const *fields)
{
	for (; *fields != NULL; fields++) {
		const struct name *name = field_of(line->d->event, *fields, FIELD_NAME);
		if (name != NULL && name->length > 0) {
			return name;
		}
	}
	return NULL;
}

static const struct id *
id_of(const struct line *line, const char *const *fields)
{
	for (; *fields != NULL; fields++) {
		const struct id *id = field_of(line->d->event, *fields, FIELD_ID);
		if (id != NULL && !id_is_none(id)) {
			return id;
		}
	}
	return NULL;
}

static const uint64_t *
number_of(const struct line *line, const char *field)
{
	return field_of(line->d->event, field, FIELD_U64);
}

static const struct address *
address_of(const struct line *line, const char *field)
{
	const struct address *address = field_of(line->d->event, field, FIELD_ADDRESS);

	return address != NULL && address->family != ADDRESS_NONE ? address : NULL;
}

static struct observable *
observe(struct line *line, const char *where, const char *attribute, int type_id)
{
	assert(line->observed < OBSERVABLES_MAX);
	struct observable *one = &line->observables[line->observed++];

	*one = (struct observable){ .type_id = type_id };
	snprintf(one->name, sizeof one->name, "%s.%s", where, attribute);
	return one;
}

static void
say_uid(struct json_line *json, const char *key, const struct id *id)
{
	json_line_hex(json, key, id->bytes, sizeof id->bytes);
}

static void
say_name(struct json_line *json, const char *key, const struct name *name)
{
	json_line_string(json, key, name->bytes, name->length);
}

/* --- Objects -----------------------------------------------------------------------------------
 */

/* `where` is "user" or "actor.user": what observables point to; `key` its last word. A user has a
 * name or a uid (OCSF asks for one of them), though both be unknown. */
static void
say_user(struct line *line, const char *where, const char *const *names, const char *const *ids,
	 int type_id)
{
	const struct name *name = name_of(line, names);
	const struct id *id = id_of(line, ids);
	const char *dot = strrchr(where, '.');

	json_line_open(line->json, dot == NULL ? where : dot + 1, '{');
	json_line_number(line->json, "type_id",
			 (uint64_t)(name == NULL && id == NULL ? USER_UNKNOWN : type_id));
	if (id != NULL) {
		say_uid(line->json, "uid", id);
		observe(line, where, "uid", OBSERVABLE_RESOURCE_UID)->uid = id;
	}
	if (name != NULL) {
		say_name(line->json, "name", name);
		observe(line, where, "name", OBSERVABLE_USERNAME)->text = name;
	}
	if (name == NULL && id == NULL) {
		json_line_word(line->json, "name", "unknown");
	}
	json_line_close(line->json, '}');
}

static void
say_address(struct line *line, const char *where, const struct address *address)
{
	struct observable *seen = observe(line, where, "ip", OBSERVABLE_IP);
	struct address bare = *address;
	char shown[ADDRESS_PRINT_MAX];

	/* "192.0.2.1:0" or "[2001:db8::1]:0": the port has its own attribute. */
	bare.port = 0;
	address_print(shown, sizeof shown, &bare);
	*strrchr(shown, ':') = '\0';
	shown[strcspn(shown, "]")] = '\0';
	memcpy(seen->ip, shown + (shown[0] == '['), strlen(shown + (shown[0] == '[')) + 1);
	json_line_word(line->json, "ip", seen->ip);
	if (address->port > 0) {
		json_line_number(line->json, "port", address->port);
	}
}

/* Where an address is not shown, an endpoint is named by its handle, or as a service of ours. */
static void
say_endpoint(struct line *line, const char *where, const struct address *address,
	     const char *const *ids, const char *service)
{
	const struct id *id = id_of(line, ids);

	json_line_open(line->json, where, '{');
	if (address != NULL) {
		say_address(line, where, address);
	} else if (id != NULL) {
		say_uid(line->json, "uid", id);
	} else {
		json_line_word(line->json, "svc_name", service);
	}
	json_line_close(line->json, '}');
}

static void
say_traffic(struct line *line)
{
	const uint64_t *up = number_of(line, "bytes_up"), *down = number_of(line, "bytes_down");
	const uint64_t *sent = number_of(line, "packets_up");
	const uint64_t *received = number_of(line, "packets_down");
	const uint64_t *bytes = number_of(line, "bytes");

	json_line_open(line->json, "traffic", '{');
	if (up != NULL && down != NULL && sent != NULL && received != NULL) {
		json_line_number(line->json, "bytes", *up + *down);
		json_line_number(line->json, "bytes_out", *up);
		json_line_number(line->json, "bytes_in", *down);
		json_line_number(line->json, "packets", *sent + *received);
		json_line_number(line->json, "packets_out", *sent);
		json_line_number(line->json, "packets_in", *received);
	} else if (bytes != NULL) {
		json_line_number(line->json, "bytes", *bytes);
	}
	json_line_close(line->json, '}');
}

static void
say_connection(struct line *line, int direction_id)
{
	const uint64_t *transport = number_of(line, "transport");
	const struct id *id = id_of(line, (const char *const[]){ "allocation", "room", NULL });

	json_line_open(line->json, "connection_info", '{');
	json_line_number(line->json, "direction_id", (uint64_t)direction_id);
	if (transport != NULL && (*transport == PROTOCOL_UDP || *transport == PROTOCOL_TCP)) {
		json_line_number(line->json, "protocol_num", *transport);
		json_line_word(line->json, "protocol_name",
			       *transport == PROTOCOL_UDP ? "udp" : "tcp");
	}
	if (id != NULL) {
		say_uid(line->json, "uid", id);
	}
	json_line_close(line->json, '}');
}

/* An object that holds one handle, or nothing. */
static void
say_session(struct line *line, const struct id *id)
{
	json_line_open(line->json, "session", '{');
	if (id != NULL) {
		say_uid(line->json, "uid", id);
	}
	json_line_close(line->json, '}');
}

/* --- Classes -----------------------------------------------------------------------------------
 */

static const char *const *const nobody = (const char *const[]){ NULL };
static const char *const *const user_names =
	(const char *const[]){ "agent_name", "user_name", NULL };
static const char *const *const user_ids = (const char *const[]){ "agent", "user", "day", NULL };

static void
fill_authentication(struct line *line)
{
	const bool is_turn = line->d->entry->stream == STREAM_ALLOCATION;
	const struct address *source = address_of(line, is_turn ? "source" : "client");
	const struct id *room = id_of(line, (const char *const[]){ "room", NULL });

	source = source == NULL ? address_of(line, "source") : source;
	say_user(line, "user", user_names, user_ids, USER_USER);
	json_line_open(line->json, "service", '{');
	json_line_word(line->json, "name", is_turn ? "TURN" : "signaling");
	json_line_close(line->json, '}');
	json_line_true(line->json, "is_remote");
	if (source != NULL) {
		say_endpoint(line, "src_endpoint", source, nobody, "");
	}
	if (room != NULL) {
		say_session(line, room);
	}
}

static void
fill_network(struct line *line)
{
	const bool is_relay = line->d->entry->stream == STREAM_ALLOCATION;
	static const char *const from[] = { "from", "user", NULL };
	static const char *const to[] = { "to", "allocation", NULL };

	say_endpoint(line, "src_endpoint", NULL, from, "agent");
	say_endpoint(line, "dst_endpoint", address_of(line, "peer"), to,
		     is_relay ? "peer" : "agent");
	say_traffic(line);
	say_connection(line, DIRECTION_LATERAL);
	json_line_word(line->json, "app_name", is_relay ? "TURN" : "signaling");
}

/* The relay is the tunnel: from the client's address to the relayed one, or to a peer. */
static void
fill_tunnel(struct line *line)
{
	const struct address *peer = address_of(line, "peer");

	say_session(line, id_of(line, (const char *const[]){ "allocation", NULL }));
	json_line_number(line->json, "tunnel_type_id", TUNNEL_OTHER);
	json_line_word(line->json, "tunnel_type", "TURN relay");
	json_line_word(line->json, "protocol_name", "TURN");
	say_endpoint(line, "src_endpoint", address_of(line, "client"), user_ids, "TURN client");
	say_endpoint(line, "dst_endpoint", peer != NULL ? peer : address_of(line, "relayed"),
		     nobody, "TURN relay");
	say_connection(line, DIRECTION_INBOUND);
	say_traffic(line);
	if (name_of(line, user_names) != NULL || id_of(line, user_ids) != NULL) {
		say_user(line, "user", user_names, user_ids, USER_USER);
	}
}

static void
fill_entity(struct line *line)
{
	static const char *const ids[] = { "hold",     "request",  "subject", "key",
					   "instance", "reporter", NULL };
	static const char *const operators[] = { "operator_name", NULL };
	static const char *const operator_ids[] = { "operator", NULL };
	static const char *const comments[] = { "reason", "purpose", NULL };
	const struct id *id = id_of(line, ids);
	const struct name *comment = name_of(line, comments);

	json_line_open(line->json, "entity", '{');
	json_line_word(line->json, "type", line->kind->entity);
	json_line_word(line->json, "name", line->kind->entity);
	if (id != NULL) {
		say_uid(line->json, "uid", id);
	}
	json_line_close(line->json, '}');
	if (name_of(line, operators) != NULL || id_of(line, operator_ids) != NULL) {
		json_line_open(line->json, "actor", '{');
		say_user(line, "actor.user", operators, operator_ids, USER_ADMIN);
		json_line_close(line->json, '}');
	}
	if (comment != NULL) {
		say_name(line->json, "comment", comment);
	}
}

/* --- What every line has ------------------------------------------------------------------------
 */

static void
fill_classification(struct line *line)
{
	const struct kind *kind = line->kind;
	const uint64_t class_uid = kind->class_uid;

	json_line_number(line->json, "class_uid", class_uid);
	json_line_number(line->json, "category_uid", class_uid / 1000);
	json_line_number(line->json, "activity_id", (uint64_t)kind->activity_id);
	json_line_word(line->json, "activity_name", kind->activity_name);
	json_line_number(line->json, "type_uid", class_uid * 100 + (uint64_t)kind->activity_id);
	json_line_number(line->json, "severity_id", (uint64_t)kind->severity_id);
	json_line_number(line->json, "status_id", (uint64_t)kind->status_id);
	for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++) {
		if (classes[i].class_uid == kind->class_uid) {
			json_line_word(line->json, "class_name", classes[i].name);
			json_line_word(line->json, "category_name", classes[i].category);
		}
	}
}

static void
fill_status(struct line *line)
{
	const uint64_t *verdict = number_of(line, "verdict"), *count = number_of(line, "count");
	enum verdict known = ACCEPTED;

	if (verdict != NULL && verdict_from_number(*verdict, &known)) {
		json_line_word(line->json, "status_code", verdict_code(known));
		json_line_word(line->json, "status_detail", verdict_text(known));
	}
	if (count != NULL) {
		json_line_number(line->json, "count", *count);
	}
}

static void
say_product(struct json_line *json)
{
	json_line_open(json, "product", '{');
	json_line_word(json, "name", "ifswarm");
	json_line_word(json, "vendor_name", "ifswarm");
	json_line_word(json, "version", IFSWARM_VERSION);
	json_line_close(json, '}');
}

static void
fill_metadata(struct line *line, const char *origin)
{
	const struct entry *entry = line->d->entry;
	const struct event *event = line->d->event;
	struct json_line *json = line->json;
	char when[MOMENT_PRINT_MAX];

	json_line_open(json, "metadata", '{');
	json_line_word(json, "version", OCSF_VERSION);
	say_product(json);
	json_line_word(json, "log_name", origin);
	json_line_word(json, "log_provider", "ifswarm-witness");
	json_line_hex(json, "uid", line->d->leaf.bytes, sizeof line->d->leaf.bytes);
	json_line_word(json, "original_time", moment_print(when, sizeof when, entry->occurred_us));
	json_line_number(json, "logged_time", entry->recorded_us / 1000);
	json_line_number(json, "sequence", entry->seq);
	if (event != NULL) {
		json_line_word(json, "event_code", event_describe(event->type)->name);
	}
	if (!id_is_none(&entry->trace_id)) {
		say_uid(json, "correlation_uid", &entry->trace_id);
	}
	json_line_close(json, '}');
	json_line_number(json, "time", entry->occurred_us / 1000);
}

static void
fill_class(struct line *line)
{
	switch (line->kind->class_uid) {
	case CLASS_AUTHENTICATION:
		fill_authentication(line);
		break;
	case CLASS_ENTITY:
		fill_entity(line);
		break;
	case CLASS_NETWORK:
		fill_network(line);
		break;
	case CLASS_TUNNEL:
		fill_tunnel(line);
		break;
	}
}

static void
fill_observables(struct line *line)
{
	json_line_open(line->json, "observables", '[');
	for (size_t i = 0; i < line->observed; i++) {
		const struct observable *one = &line->observables[i];

		json_line_open(line->json, NULL, '{');
		json_line_word(line->json, "name", one->name);
		json_line_number(line->json, "type_id", (uint64_t)one->type_id);
		if (one->uid != NULL) {
			say_uid(line->json, "value", one->uid);
		} else if (one->text != NULL) {
			say_name(line->json, "value", one->text);
		} else {
			json_line_word(line->json, "value", one->ip);
		}
		json_line_close(line->json, '}');
	}
	json_line_close(line->json, ']');
}

static void
fill_unmapped(struct line *line, bool is_cut)
{
	const struct disclosed *d = line->d;

	json_line_open(line->json, "unmapped", '{');
	json_line_number(line->json, "seq", d->entry->seq);
	json_line_hex(line->json, "leaf_hash", d->leaf.bytes, sizeof d->leaf.bytes);
	json_line_number(line->json, "type", d->entry->type);
	if (d->event != NULL && !is_cut) {
		fields_json(line->json, "fields", d->event);
	}
	if (is_cut) {
		json_line_true(line->json, "is_cut");
	}
	json_line_close(line->json, '}');
}

static void
fill(struct json_line *out, const struct disclosed *d, const char *origin, bool is_cut)
{
	struct line line = { .json = out, .d = d, .kind = kind_of(d->event) };

	json_line_start(out);
	json_line_open(out, NULL, '{');
	fill_classification(&line);
	fill_status(&line);
	fill_metadata(&line, origin);
	fill_class(&line);
	fill_observables(&line);
	fill_unmapped(&line, is_cut);
	json_line_close(out, '}');
}

void
ocsf_line(struct json_line *out, const struct disclosed *d, const char *origin)
{
	fill(out, d, origin, false);
	if (out->count >= OCSF_LINE_MAX) {
		fill(out, d, origin, true);
	}
	assert(out->count < OCSF_LINE_MAX);
}
