#include "gateway/frame.h"

#include <jansson.h>
#include <string.h>

/* jansson descends recursively: what is nested deeper than any signaling is refused before it does.
 */
static bool
is_shallow(struct span text)
{
	size_t depth = 0;
	bool in_string = false;

	for (size_t i = 0; i < text.count; i++) {
		const uint8_t byte = text.at[i];

		if (in_string) {
			i += byte == '\\'; /* whatever is escaped does not end the string */
			in_string = byte != '"';
		} else if (byte == '"') {
			in_string = true;
		} else if (byte == '{' || byte == '[') {
			depth++;
		} else if ((byte == '}' || byte == ']') && depth > 0) {
			depth--;
		}
		if (depth > FRAME_DEPTH_MAX) {
			return false;
		}
	}
	return true;
}

static bool
read_name(const json_t *object, const char *key, struct name *out)
{
	const json_t *value = json_object_get(object, key);

	return json_is_string(value) &&
	       name_set(out, json_string_value(value), json_string_length(value)) &&
	       name_is_wellformed(out);
}

static enum verdict
read_register(const json_t *object, struct frame *out)
{
	const json_t *room = json_object_get(object, "room");

	out->is_register = true;
	if (!read_name(object, "agent_id", &out->agent)) {
		return REFUSED_NAME;
	}
	if (room == NULL || json_is_null(room)) {
		name_set(&out->room, "default", strlen("default"));
		return ACCEPTED;
	}
	return read_name(object, "room", &out->room) ? ACCEPTED : REFUSED_ROOM;
}

/* A description whose `sdp` or `type` is no text would end the receiver's process. */
static bool
is_description(const json_t *value)
{
	const json_t *sdp = json_object_get(value, "sdp");
	const json_t *type = json_object_get(value, "type");

	return json_is_object(value) && (sdp == NULL || json_is_string(sdp)) &&
	       (type == NULL || json_is_string(type));
}

static enum verdict
read_signal(const json_t *object, const char *body, struct frame *out)
{
	const json_t *value = json_object_get(object, body);
	/* A null candidate tells the end of the candidates. */
	const bool has_body = out->kind == SIGNAL_CANDIDATE
				      ? json_is_object(value) || json_is_null(value)
				      : is_description(value);

	if (!read_name(object, "from", &out->from)) {
		return REFUSED_SPOOFED;
	}
	return read_name(object, "to", &out->to) && has_body ? ACCEPTED : REFUSED_FRAME;
}

static enum verdict
read_object(const json_t *object, struct frame *out)
{
	static const struct {
		const char *type;
		const char *body;
		enum signal_kind kind;
	} signals[] = {
		{ "offer", "offer", SIGNAL_OFFER },
		{ "answer", "answer", SIGNAL_ANSWER },
		{ "ice-candidate", "candidate", SIGNAL_CANDIDATE },
	};
	const char *type = json_string_value(json_object_get(object, "type"));

	if (type == NULL) {
		return REFUSED_FRAME;
	}
	if (strcmp(type, "register") == 0) {
		return read_register(object, out);
	}
	for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) {
		if (strcmp(type, signals[i].type) == 0) {
			out->kind = signals[i].kind;
			return read_signal(object, signals[i].body, out);
		}
	}
	return REFUSED_FRAME;
}

enum verdict
frame_parse(struct span text, struct frame *out)
{
	memset(out, 0, sizeof *out);
	if (text.count == 0 || text.count > FRAME_BYTES_MAX || !is_shallow(text)) {
		return REFUSED_FRAME;
	}
	json_t *object =
		json_loadb((const char *)text.at, text.count, JSON_REJECT_DUPLICATES, NULL);
	const enum verdict verdict =
		json_is_object(object) ? read_object(object, out) : REFUSED_FRAME;
	json_decref(object);
	return verdict;
}

static json_t *
json_name(const struct name *name)
{
	return json_stringn(name->bytes, name->length);
}

/* Takes the object over. */
static char *
written(json_t *object)
{
	char *text = json_dumps(object, JSON_COMPACT);

	json_decref(object);
	return text;
}

static json_t *
json_stun(const struct ice *ice)
{
	json_t *urls = json_array();

	for (size_t i = 0; i < ice->count; i++) {
		json_array_append_new(urls, json_sprintf("stun:%s", ice->hosts[i]));
	}
	return urls;
}

static json_t *
json_turn(const struct ice *ice)
{
	json_t *urls = json_array();

	for (size_t i = 0; i < ice->count; i++) {
		json_array_append_new(urls, json_sprintf("turn:%s?transport=udp", ice->hosts[i]));
	}
	for (size_t i = 0; ice->over_tcp && i < ice->count; i++) {
		json_array_append_new(urls, json_sprintf("turn:%s?transport=tcp", ice->hosts[i]));
	}
	for (size_t i = 0; i < ice->tls_count; i++) {
		json_array_append_new(urls,
				      json_sprintf("turns:%s?transport=tcp", ice->tls_hosts[i]));
	}
	return urls;
}

static json_t *
json_ice(const struct ice *ice)
{
	json_t *servers = json_array();

	json_array_append_new(servers, json_pack("{s:o}", "urls", json_stun(ice)));
	if (ice->username[0] != '\0') {
		json_array_append_new(servers, json_pack("{s:o, s:s, s:s}", "urls", json_turn(ice),
							 "username", ice->username, "credential",
							 ice->credential));
	}
	return servers;
}

char *
frame_write_registered(const struct name *agent, const struct name *room,
		       struct frame_roster roster, const struct ice *ice)
{
	json_t *names = json_array();

	for (const struct name *name = roster.next(roster.context); name != NULL;
	     name = roster.next(roster.context)) {
		json_array_append_new(names, json_name(name));
	}
	return written(json_pack("{s:s, s:o, s:o, s:o, s:o}", "type", "registered", "agent_id",
				 json_name(agent), "connected_agents", names, "room",
				 json_name(room), "ice_servers", json_ice(ice)));
}

static char *
write_about(const char *type, const struct name *agent)
{
	return written(json_pack("{s:s, s:o}", "type", type, "agent_id", json_name(agent)));
}

char *
frame_write_joined(const struct name *agent)
{
	return write_about("agent-joined", agent);
}

char *
frame_write_left(const struct name *agent)
{
	return write_about("agent-left", agent);
}

char *
frame_write_error(enum verdict verdict, const struct name *about)
{
	json_t *message =
		verdict == REFUSED_NO_SUCH_AGENT && about->length > 0
			? json_sprintf("Agent %.*s not found", (int)about->length, about->bytes)
			: json_string(verdict_text(verdict));

	return written(json_pack("{s:s, s:o, s:s}", "type", "error", "message", message, "code",
				 verdict_code(verdict)));
}
