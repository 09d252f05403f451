/* What an operator can set. The table of keys is settings.def; the struct, the parser, the options,
 * the help and the manual page come from it. */
#ifndef IFSWARM_PROTOCOL_SETTINGS_H
#define IFSWARM_PROTOCOL_SETTINGS_H

#include "protocol/types.h"

enum {
	SETTING_BYTES_MAX = 512,
	SETTINGS_TEXT_MAX = 512 * 1024, /* all of them as INI text */
	SETTING_ITEMS_MAX = 64,
	SETTING_FAULT_MAX = 512,
	SETTING_FAULTS_MAX = 32
};

struct setting_word {
	char bytes[SETTING_BYTES_MAX]; /* terminated */
};

struct setting_list {
	size_t count;
	struct setting_word items[SETTING_ITEMS_MAX];
};

#define SETTING_TYPE_NUMBER  uint64_t
#define SETTING_TYPE_FLAG    bool
#define SETTING_TYPE_WORD    struct setting_word
#define SETTING_TYPE_LIST    struct setting_list
#define SETTING_TYPE_SECRETS struct setting_list

struct settings {
#define SETTING(kind, key, member, environment, preset, help) SETTING_TYPE_##kind member;
#include "protocol/settings.def"
#undef SETTING
};

enum setting_kind { SETTING_NUMBER, SETTING_FLAG, SETTING_WORD, SETTING_LIST, SETTING_SECRETS };

struct setting_description {
	const char *key;
	enum setting_kind kind;
	const char *environment; /* "" if none */
	const char *preset;
	const char *help;
	size_t offset;
};

/* The table in its order; `count` entries. */
const struct setting_description *settings_table(size_t *count);

enum {
#define SETTING(kind, key, member, environment, preset, help) SETTING_PLACE_##member,
#include "protocol/settings.def"
#undef SETTING
	SETTINGS_COUNT,
	SETTING_SOURCE_MAX = 128,
	SETTING_DENIALS_MAX = 8
};

/* A key of coturn that says that a flag of ours is off. */
struct setting_denial {
	const char *key;  /* a literal */
	const char *flag; /* likewise */
	char source[SETTING_SOURCE_MAX];
};

/* What is wrong, and where each value came from: "ifswarm.conf:12", "environment PORT",
 * "option --port", or "" for a preset. `sources` are in the order of the table. */
struct setting_faults {
	size_t count;
	char lines[SETTING_FAULTS_MAX][SETTING_FAULT_MAX];
	char sources[SETTINGS_COUNT][SETTING_SOURCE_MAX];
	size_t denial_count;
	struct setting_denial denials[SETTING_DENIALS_MAX];
};

/* One key's description; NULL if there is no such key. */
const struct setting_description *settings_find(const char *key);

/* What coturn.def says of that key, NULL if it is not in there; `holds`: it asks for what is so
 * anyway. */
const char *setting_coturn(const char *key, bool *holds);

/* The key that was probably meant by a word that is none; NULL if none is near. */
const char *setting_nearest_key(const char *key);

/* Adds a line, "WHERE: what is wrong: what to do"; the last place says that there are more. */
__attribute__((format(printf, 2, 3))) void setting_fault_add(struct setting_faults *faults,
							     const char *format, ...);

/* Where the key was set last: the start of a fault's line. "preset" if nowhere. */
const char *setting_source(const struct setting_faults *faults, const char *key);

/* All presets. */
void settings_preset(struct settings *settings);
/* Sets one key, and notes where it came from. The first value a layer gives to a list replaces what
 * lower layers gave, later ones of the same layer are added: `fresh` is true for that first one.
 * False, with a line added to `faults`
 * ("WHERE: what is wrong: what to do"), if the key is unknown or the value does not fit. */
bool settings_set(struct settings *settings, const char *key, const char *value, bool fresh,
		  const char *where, struct setting_faults *faults);
/* Reads INI text ("key = value", a bare key is a flag, lines that start with '#' or ';' are
 * comments, [sections] ignored with a fault). Every fault is collected, with its line. Not for
 * several threads at once: inih keeps its options in globals. */
void settings_read(struct settings *settings, const char *text, const char *file,
		   struct setting_faults *faults);
/* TURN over TLS is served. */
bool settings_serve_tls(const struct settings *settings);
bool settings_serve_dtls(const struct settings *settings);
/* One of both: there is a certificate to show. */
bool settings_use_certificate(const struct settings *settings);

/* What is wrong between keys (min-port above max-port, TLS certificate without key, signaling
 * beyond loopback without open-signaling, no-auth beside users, no-tcp beside turn-tcp...). Each
 * value alone is checked by settings_set. */
void settings_check(const struct settings *settings, struct setting_faults *faults);
/* Writes all keys as INI text that settings_read gives back as the same settings, secrets included:
 * for handing a checked configuration to a child through a memfd. Returns the length, 0 if `size`
 * is short. */
size_t settings_write(const struct settings *settings, char *out, size_t size);

#endif
