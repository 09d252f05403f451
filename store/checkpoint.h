/* Checkpoints: what the log says about itself, signed (EVIDENCE section 4). The text is a C2SP
 * tlog-checkpoint, the envelope a C2SP signed-note with one Ed25519 signature (RFC 8032) by the
 * log:
 *
 *     <origin>\n<tree size>\n<base64 root>\n
 *     \n
 *     — <origin> <base64(key id || signature)>\n
 *
 * Nobody needs our programs to check one: checkpoint_recipe says how to with openssl alone.
 */
#ifndef IFSWARM_STORE_CHECKPOINT_H
#define IFSWARM_STORE_CHECKPOINT_H

#include "protocol/types.h"
#include "store/base64.h"

enum {
	ORIGIN_BYTES_MAX = TEXT_BYTES_MAX,
	CHECKPOINT_BYTES_MAX = 1024, /* as we write it */
	CHECKPOINT_NOTE_MAX = 16384, /* as we read it: witnesses add lines */
	CHECKPOINT_VKEY_MAX = ORIGIN_BYTES_MAX + 128,
	CHECKPOINT_RECIPE_MAX = 2048,
};

struct checkpoint {
	char origin[ORIGIN_BYTES_MAX + 1];
	uint64_t size;
	struct digest root;
};

/* What an Ed25519 key is for: the signature type of C2SP signed-note, part of the key id, so that
 * no key can speak in another role. */
enum vkey_type {
	VKEY_LOG = 0x01,      /* signs its own checkpoints */
	VKEY_COSIGNER = 0x04, /* cosigns those of other logs (store/cosignature.h) */
};

/* Who signs: the name of a log's key is the log's origin. */
struct log_verifier {
	char name[ORIGIN_BYTES_MAX + 1];
	enum vkey_type type;
	uint8_t key_id[4]; /* SHA-256(name || 0x0A || type || public key)[:4] */
	uint8_t public_key[32];
};

struct log_signer {
	struct log_verifier verifier;
	uint8_t seed[32]; /* RFC 8032 private key */
};

/* True for 1 to ORIGIN_BYTES_MAX printable ASCII bytes without space or '+' (C2SP signed-note: key
 * names). */
bool origin_is_wellformed(const char *origin);

/* From 32 random bytes. The origin is wellformed. */
void log_signer_make(struct log_signer *out, const char *origin, const uint8_t seed[32]);
/* Likewise, for a key of another type. */
void vkey_signer_make(struct log_signer *out, const char *name, enum vkey_type type,
		      const uint8_t seed[32]);

/* "name+0123abcd+base64(type || public key)", the verifier key of C2SP signed-note. */
void log_verifier_write(char out[CHECKPOINT_VKEY_MAX], const struct log_verifier *verifier);
/* One trailing newline is allowed; false if anything is wrong, the key id included. */
bool log_verifier_read(const char *text, struct log_verifier *out);
bool vkey_read(const char *text, enum vkey_type type, struct log_verifier *out);

/* Ed25519 (RFC 8032) over those bytes. */
enum { SIGNATURE_BYTES = 64 };
void log_signature(const struct log_signer *signer, struct span bytes,
		   uint8_t out[SIGNATURE_BYTES]);
bool log_signature_holds(const struct log_verifier *verifier, struct span bytes,
			 const uint8_t signature[SIGNATURE_BYTES]);
/* `out` holds `count` bytes of text that end in a newline: the signature's lines (C2SP signed-note)
 * are put behind them, terminated, CHECKPOINT_BYTES_MAX bytes more at most. Returns the whole
 * length. */
size_t note_sign(const struct log_signer *signer, size_t count, char *out, size_t size);

/* The three lines that are signed; returns their length. */
size_t checkpoint_text(const struct checkpoint *checkpoint, char out[CHECKPOINT_BYTES_MAX]);
/* The signed note, terminated; returns its length. */
size_t checkpoint_sign(const struct checkpoint *checkpoint, const struct log_signer *signer,
		       char out[CHECKPOINT_BYTES_MAX]);

enum checkpoint_check {
	CHECKPOINT_HOLDS,
	CHECKPOINT_MALFORMED, /* not a signed note over three lines */
	CHECKPOINT_FOREIGN,   /* of another origin, or without a line by this key */
	CHECKPOINT_FORGED,    /* the line by this key does not verify */
};
/* Lines by other keys (cosignatures) must be wellformed and are not judged. `out` is filled only
 * when it holds. */
enum checkpoint_check checkpoint_verify(struct span note, const struct log_verifier *verifier,
					struct checkpoint *out);
/* A note in two (C2SP signed-note): the text with its last newline, which is what is signed, and
 * the signatures' lines behind the empty line. False if there is no such line, or nothing behind
 * it; both borrow. */
bool note_split(struct span note, struct span *text, struct span *lines);
/* One signature's line, without its newline, whoever signed it: "— name base64(key id ||
 * signature)". */
struct note_line {
	struct span name; /* borrowed */
	size_t count;     /* more than the four of the key id */
	uint8_t bytes[BASE64_BYTES_MAX];
};
bool note_line_read(struct span line, struct note_line *out);
/* It names that key. */
bool note_line_is_by(const struct note_line *line, const struct log_verifier *verifier);
/* Any signed note (C2SP signed-note), whose text ends in a newline; `text` borrows it. */
enum checkpoint_check note_verify(struct span note, const struct log_verifier *verifier,
				  struct span *text);
const char *checkpoint_check_text(enum checkpoint_check check);
/* The three lines alone, whoever signed them; false if malformed. */
bool checkpoint_read(struct span note, struct checkpoint *out);

/* Shell lines that check a note in the file `checkpoint` with openssl and coreutils. */
void checkpoint_recipe(char out[CHECKPOINT_RECIPE_MAX], const struct log_verifier *verifier);

#endif
