#include "replay/ocsf.h"

#include <assert.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
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

/* One line in the making. */
struct line {
	json_t *json;
	json_t *observables;
	const struct disclosed *d;
	const struct kind *kind;
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

static void
observe(struct line *line, const char *name, int type_id, json_t *value)
{
	json_array_append_new(line->observables, json_pack("{s:s, s:i, s:O}", "name", name,
							   "type_id", type_id, "value", value));
}

/* --- Objects -----------------------------------------------------------------------------------
 */

/* `where` is "user" or "actor.user": what observables point to. A user has a name or a uid (OCSF
 * asks for one of them), though both be unknown. */
static json_t *
user_json(struct line *line, const char *where, const char *const *names, const char *const *ids,
	  int type_id)
{
	const struct name *name = name_of(line, names);
	const struct id *id = id_of(line, ids);
	json_t *user =
		json_pack("{s:i}", "type_id", name == NULL && id == NULL ? USER_UNKNOWN : type_id);
	char pointer[32];

	if (id != NULL) {
		json_object_set_new(user, "uid", fields_hex(id->bytes, sizeof id->bytes));
		snprintf(pointer, sizeof pointer, "%s.uid", where);
		observe(line, pointer, OBSERVABLE_RESOURCE_UID, json_object_get(user, "uid"));
	}
	if (name != NULL) {
		json_object_set_new(user, "name", fields_string(name->bytes, name->length));
		snprintf(pointer, sizeof pointer, "%s.name", where);
		observe(line, pointer, OBSERVABLE_USERNAME, json_object_get(user, "name"));
	}
	if (name == NULL && id == NULL) {
		json_object_set_new(user, "name", json_string("unknown"));
	}
	return user;
}

static json_t *
endpoint_json(struct line *line, const char *where, const struct address *address)
{
	struct address bare = *address;
	json_t *endpoint = json_object();
	char shown[ADDRESS_PRINT_MAX], pointer[32];

	/* "192.0.2.1:0" or "[2001:db8::1]:0": the port has its own attribute. */
	bare.port = 0;
	address_print(shown, sizeof shown, &bare);
	*strrchr(shown, ':') = '\0';
	shown[strcspn(shown, "]")] = '\0';
	json_object_set_new(endpoint, "ip", json_string(shown + (shown[0] == '[')));
	if (address->port > 0) {
		json_object_set_new(endpoint, "port", json_integer(address->port));
	}
	snprintf(pointer, sizeof pointer, "%s.ip", where);
	observe(line, pointer, OBSERVABLE_IP, json_object_get(endpoint, "ip"));
	return endpoint;
}

/* Where an address is not shown, an endpoint is named by its handle, or as a service of ours. */
static json_t *
endpoint_or(struct line *line, const char *where, const struct address *address,
	    const char *const *ids, const char *service)
{
	const struct id *id = id_of(line, ids);

	if (address != NULL) {
		return endpoint_json(line, where, address);
	}
	if (id != NULL) {
		json_t *endpoint = json_object();
		json_object_set_new(endpoint, "uid", fields_hex(id->bytes, sizeof id->bytes));
		return endpoint;
	}
	return json_pack("{s:s}", "svc_name", service);
}

static json_t *
traffic_json(const struct line *line)
{
	const uint64_t *up = number_of(line, "bytes_up"), *down = number_of(line, "bytes_down");
	const uint64_t *sent = number_of(line, "packets_up");
	const uint64_t *received = number_of(line, "packets_down");
	const uint64_t *bytes = number_of(line, "bytes");
	json_t *traffic = json_object();

	if (bytes != NULL) {
		json_object_set_new(traffic, "bytes", fields_number(*bytes));
	}
	if (up != NULL && down != NULL && sent != NULL && received != NULL) {
		json_object_set_new(traffic, "bytes", fields_number(*up + *down));
		json_object_set_new(traffic, "bytes_out", fields_number(*up));
		json_object_set_new(traffic, "bytes_in", fields_number(*down));
		json_object_set_new(traffic, "packets", fields_number(*sent + *received));
		json_object_set_new(traffic, "packets_out", fields_number(*sent));
		json_object_set_new(traffic, "packets_in", fields_number(*received));
	}
	return traffic;
}

static json_t *
connection_json(const struct line *line, int direction_id)
{
	const uint64_t *transport = number_of(line, "transport");
	const struct id *id = id_of(line, (const char *const[]){ "allocation", "room", NULL });
	json_t *connection = json_pack("{s:i}", "direction_id", direction_id);

	if (transport != NULL && (*transport == PROTOCOL_UDP || *transport == PROTOCOL_TCP)) {
		json_object_set_new(connection, "protocol_num", fields_number(*transport));
		json_object_set_new(connection, "protocol_name",
				    json_string(*transport == PROTOCOL_UDP ? "udp" : "tcp"));
	}
	if (id != NULL) {
		json_object_set_new(connection, "uid", fields_hex(id->bytes, sizeof id->bytes));
	}
	return connection;
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
	json_object_set_new(line->json, "user",
			    user_json(line, "user", user_names, user_ids, USER_USER));
	json_object_set_new(line->json, "service",
			    json_pack("{s:s}", "name", is_turn ? "TURN" : "signaling"));
	json_object_set_new(line->json, "is_remote", json_true());
	if (source != NULL) {
		json_object_set_new(line->json, "src_endpoint",
				    endpoint_json(line, "src_endpoint", source));
	}
	if (room != NULL) {
		json_t *session = json_object();
		json_object_set_new(session, "uid", fields_hex(room->bytes, sizeof room->bytes));
		json_object_set_new(line->json, "session", session);
	}
}

static void
fill_network(struct line *line)
{
	const bool is_relay = line->d->entry->stream == STREAM_ALLOCATION;
	static const char *const from[] = { "from", "user", NULL };
	static const char *const to[] = { "to", "allocation", NULL };

	json_object_set_new(line->json, "src_endpoint",
			    endpoint_or(line, "src_endpoint", NULL, from, "agent"));
	json_object_set_new(line->json, "dst_endpoint",
			    endpoint_or(line, "dst_endpoint", address_of(line, "peer"), to,
					is_relay ? "peer" : "agent"));
	json_object_set_new(line->json, "traffic", traffic_json(line));
	json_object_set_new(line->json, "connection_info",
			    connection_json(line, DIRECTION_LATERAL));
	json_object_set_new(line->json, "app_name", json_string(is_relay ? "TURN" : "signaling"));
}

/* The relay is the tunnel: from the client's address to the relayed one, or to a peer. */
static void
fill_tunnel(struct line *line)
{
	const struct address *peer = address_of(line, "peer");
	const struct id *id = id_of(line, (const char *const[]){ "allocation", NULL });
	json_t *session = json_object();

	if (id != NULL) {
		json_object_set_new(session, "uid", fields_hex(id->bytes, sizeof id->bytes));
	}
	json_object_set_new(line->json, "session", session);
	json_object_set_new(line->json, "tunnel_type_id", json_integer(TUNNEL_OTHER));
	json_object_set_new(line->json, "tunnel_type", json_string("TURN relay"));
	json_object_set_new(line->json, "protocol_name", json_string("TURN"));
	json_object_set_new(line->json, "src_endpoint",
			    endpoint_or(line, "src_endpoint", address_of(line, "client"), user_ids,
					"TURN client"));
	json_object_set_new(line->json, "dst_endpoint",
			    endpoint_or(line, "dst_endpoint",
					peer != NULL ? peer : address_of(line, "relayed"), nobody,
					"TURN relay"));
	json_object_set_new(line->json, "connection_info",
			    connection_json(line, DIRECTION_INBOUND));
	json_object_set_new(line->json, "traffic", traffic_json(line));
	if (name_of(line, user_names) != NULL || id_of(line, user_ids) != NULL) {
		json_object_set_new(line->json, "user",
				    user_json(line, "user", user_names, user_ids, USER_USER));
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
	json_t *entity =
		json_pack("{s:s, s:s}", "type", line->kind->entity, "name", line->kind->entity);

	if (id != NULL) {
		json_object_set_new(entity, "uid", fields_hex(id->bytes, sizeof id->bytes));
	}
	json_object_set_new(line->json, "entity", entity);
	if (name_of(line, operators) != NULL || id_of(line, operator_ids) != NULL) {
		json_t *user = user_json(line, "actor.user", operators, operator_ids, USER_ADMIN);
		json_object_set_new(line->json, "actor", json_pack("{s:o}", "user", user));
	}
	if (comment != NULL) {
		json_object_set_new(line->json, "comment",
				    fields_string(comment->bytes, comment->length));
	}
}

/* --- What every line has ------------------------------------------------------------------------
 */

static void
fill_classification(struct line *line)
{
	const struct kind *kind = line->kind;
	const int class_uid = (int)kind->class_uid;

	json_object_set_new(line->json, "class_uid", json_integer(class_uid));
	json_object_set_new(line->json, "category_uid", json_integer(class_uid / 1000));
	json_object_set_new(line->json, "activity_id", json_integer(kind->activity_id));
	json_object_set_new(line->json, "activity_name", json_string(kind->activity_name));
	json_object_set_new(line->json, "type_uid",
			    json_integer(class_uid * 100 + kind->activity_id));
	json_object_set_new(line->json, "severity_id", json_integer(kind->severity_id));
	json_object_set_new(line->json, "status_id", json_integer(kind->status_id));
	for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++) {
		if (classes[i].class_uid == kind->class_uid) {
			json_object_set_new(line->json, "class_name", json_string(classes[i].name));
			json_object_set_new(line->json, "category_name",
					    json_string(classes[i].category));
		}
	}
}

static void
fill_status(struct line *line)
{
	const uint64_t *verdict = number_of(line, "verdict"), *count = number_of(line, "count");
	enum verdict known = ACCEPTED;

	if (verdict != NULL && verdict_from_number(*verdict, &known)) {
		json_object_set_new(line->json, "status_code", json_string(verdict_code(known)));
		json_object_set_new(line->json, "status_detail", json_string(verdict_text(known)));
	}
	if (count != NULL) {
		json_object_set_new(line->json, "count", fields_number(*count));
	}
}

static void
fill_metadata(struct line *line, const char *origin)
{
	const struct entry *entry = line->d->entry;
	const struct event *event = line->d->event;
	char uid[2 * sizeof line->d->leaf.bytes + 1], when[MOMENT_PRINT_MAX];
	json_t *metadata =
		json_pack("{s:s, s:{s:s, s:s, s:s}, s:s, s:s}", "version", OCSF_VERSION, "product",
			  "name", "ifswarm", "vendor_name", "ifswarm", "version", IFSWARM_VERSION,
			  "log_name", origin, "log_provider", "ifswarm-witness");

	hex_write(uid, line->d->leaf.bytes, sizeof line->d->leaf.bytes);
	json_object_set_new(metadata, "uid", json_string(uid));
	json_object_set_new(metadata, "original_time",
			    json_string(moment_print(when, sizeof when, entry->occurred_us)));
	json_object_set_new(metadata, "logged_time", fields_number(entry->recorded_us / 1000));
	json_object_set_new(metadata, "sequence", fields_number(entry->seq));
	if (event != NULL) {
		json_object_set_new(metadata, "event_code",
				    json_string(event_describe(event->type)->name));
	}
	if (!id_is_none(&entry->trace_id)) {
		json_object_set_new(
			metadata, "correlation_uid",
			fields_hex(entry->trace_id.bytes, sizeof entry->trace_id.bytes));
	}
	json_object_set_new(line->json, "metadata", metadata);
	json_object_set_new(line->json, "time", fields_number(entry->occurred_us / 1000));
}

static void
fill_unmapped(struct line *line, bool is_cut)
{
	const struct disclosed *d = line->d;
	json_t *unmapped = json_object();

	json_object_set_new(unmapped, "seq", fields_number(d->entry->seq));
	json_object_set_new(unmapped, "leaf_hash", fields_hex(d->leaf.bytes, sizeof d->leaf.bytes));
	json_object_set_new(unmapped, "type", fields_number(d->entry->type));
	if (d->event != NULL && !is_cut) {
		json_object_set_new(unmapped, "fields", fields_json(d->event));
	}
	if (is_cut) {
		json_object_set_new(unmapped, "is_cut", json_true());
	}
	json_object_set_new(line->json, "unmapped", unmapped);
}

static json_t *
line_json(const struct disclosed *d, const char *origin, bool is_cut)
{
	struct line line = { json_object(), json_array(), d, kind_of(d->event) };

	fill_classification(&line);
	fill_status(&line);
	fill_metadata(&line, origin);
	switch (line.kind->class_uid) {
	case CLASS_AUTHENTICATION:
		fill_authentication(&line);
		break;
	case CLASS_ENTITY:
		fill_entity(&line);
		break;
	case CLASS_NETWORK:
		fill_network(&line);
		break;
	case CLASS_TUNNEL:
		fill_tunnel(&line);
		break;
	}
	json_object_set_new(line.json, "observables", line.observables);
	fill_unmapped(&line, is_cut);
	return line.json;
}

void
ocsf_line(struct paper *out, const struct disclosed *d, const char *origin)
{
	bool is_done = false;

	for (int attempt = 0; attempt < 2 && !is_done; attempt++) {
		json_t *json = line_json(d, origin, attempt > 0);
		char *text = json_dumps(json, JSON_COMPACT | JSON_ENSURE_ASCII);

		assert(text != NULL);
		is_done = strlen(text) + 2 < PAPER_MAX - out->count;
		if (is_done) {
			paper_add(out, "%s\n", text);
		}
		free(text);
		json_decref(json);
	}
	assert(is_done);
}
