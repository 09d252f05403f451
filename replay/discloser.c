#include "replay/discloser.h"

#include <assert.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <string.h>

#include "replay/who.h"

static const char *const profile_names[] = {
	[PROFILE_NONE] = "none",
	[PROFILE_PSEUDONYMOUS] = "pseudonymous",
	[PROFILE_ENVELOPE] = "envelope",
};

static const char *const kind_names[] = {
	[PSEUDONYM_AGENT] = "agent",
	[PSEUDONYM_ROOM] = "room",
	[PSEUDONYM_OPERATOR] = "operator",
	[PSEUDONYM_PERSON] = "person",
};

/* Sealed fields that name somebody. What is not listed is free text, and withheld. */
static const struct {
	const char *field;
	enum pseudonym_kind kind;
} named[] = {
	{ "agent_name", PSEUDONYM_AGENT }, { "peer_name", PSEUDONYM_AGENT },
	{ "user_name", PSEUDONYM_AGENT },  { "asked", PSEUDONYM_AGENT },
	{ "room_name", PSEUDONYM_ROOM },   { "operator_name", PSEUDONYM_OPERATOR },
	{ "requester", PSEUDONYM_PERSON },
};

const char *
profile_name(enum profile profile)
{
	return profile_names[profile];
}

bool
profile_from_word(const char *word, enum profile *out)
{
	for (unsigned i = 0; i < sizeof profile_names / sizeof profile_names[0]; i++) {
		if (strcmp(word, profile_names[i]) == 0) {
			*out = (enum profile)i;
			return true;
		}
	}
	return false;
}

void
discloser_make(struct discloser *discloser, enum profile profile,
	       const uint8_t key[PSEUDONYM_KEY_BYTES])
{
	assert(profile != PROFILE_PSEUDONYMOUS || key != NULL);
	discloser->profile = profile;
	memset(discloser->key, 0, sizeof discloser->key);
	if (profile == PROFILE_PSEUDONYMOUS) {
		memcpy(discloser->key, key, sizeof discloser->key);
	}
}

/* HMAC over the kind's word, a NUL, and the name: a room named like an agent does not betray it. */
static struct name
pseudonym(const struct discloser *discloser, enum pseudonym_kind kind, const struct name *name)
{
	uint8_t message[16 + NAME_BYTES_MAX];
	uint8_t mac[EVP_MAX_MD_SIZE];
	const size_t prefix = strlen(kind_names[kind]) + 1;
	char digits[PSEUDONYM_DIGITS + 1], word[32];
	struct name out = { 0 };

	assert(prefix <= 16);
	memcpy(message, kind_names[kind], prefix);
	memcpy(message + prefix, name->bytes, name->length);
	const uint8_t *done = HMAC(EVP_sha256(), discloser->key, sizeof discloser->key, message,
				   prefix + name->length, mac, NULL);
	assert(done != NULL);
	hex_write(digits, mac, PSEUDONYM_DIGITS / 2);
	const int count = snprintf(word, sizeof word, "%s-%s", kind_names[kind], digits);
	name_set(&out, word, (size_t)count);
	return out;
}

struct name
discloser_name(const struct discloser *discloser, enum pseudonym_kind kind, const struct name *name)
{
	if (name->length == 0 || discloser->profile == PROFILE_ENVELOPE) {
		return (struct name){ 0 };
	}
	if (discloser->profile == PROFILE_NONE) {
		return *name;
	}
	const struct name agent = kind == PSEUDONYM_AGENT ? who_agent_of_user(name) : *name;
	return pseudonym(discloser, kind, &agent);
}

bool
discloser_kind(const char *field, enum pseudonym_kind *kind)
{
	for (size_t i = 0; i < sizeof named / sizeof named[0]; i++) {
		if (strcmp(field, named[i].field) == 0) {
			*kind = named[i].kind;
			return true;
		}
	}
	return false;
}

static void
show_name(const struct discloser *discloser, const char *field, struct name *name)
{
	enum pseudonym_kind kind;

	*name = discloser_kind(field, &kind) ? discloser_name(discloser, kind, name)
					     : (struct name){ 0 };
}

/* Addresses and a stranger's words have no pseudonym: they go. */
static void
hide_personal(struct discloser *discloser)
{
	const struct record_shape shape = event_describe(discloser->shown.type)->shape;
	uint8_t *fields = event_fields(&discloser->shown);

	for (size_t i = 0; i < shape.count; i++) {
		const struct field *field = &shape.fields[i];
		void *value = fields + field->offset;

		if (field->place != PLACE_SEALED0 && field->place != PLACE_SEALED1) {
			continue;
		}
		assert(field->kind == FIELD_NAME || field->kind == FIELD_ADDRESS ||
		       field->kind == FIELD_JSON);
		if (field->kind == FIELD_NAME) {
			show_name(discloser, field->name, value);
		} else if (field->kind == FIELD_ADDRESS) {
			memset(value, 0, sizeof(struct address));
		} else {
			memset(value, 0, sizeof(struct json_text));
		}
	}
}

void
discloser_disclose(struct discloser *discloser, const struct entry *entry, struct span bytes,
		   const struct event *event, const struct span *salt, const struct span *body,
		   struct disclosed *out)
{
	*out = (struct disclosed){ .entry = entry, .bytes = bytes, .event = event };
	entry_leaf_hash(bytes, &out->leaf);
	if (discloser->profile == PROFILE_NONE) {
		for (uint32_t i = 0; i < entry->parts && salt != NULL && body != NULL; i++) {
			out->salt[i] = salt[i];
			out->body[i] = body[i];
		}
		return;
	}
	if (event != NULL) {
		discloser->shown = *event;
		hide_personal(discloser);
		out->event = &discloser->shown;
	}
}
