/* JSON text frames: what agents say, and what they are told (DESIGN section 5).
 *
 * Reading is strict: one object, no key twice, bounded depth; and it only looks: what is relayed is
 * the sender's bytes, unchanged. Written frames are allocated and terminated; free() them. */
#ifndef IFSWARM_GATEWAY_FRAME_H
#define IFSWARM_GATEWAY_FRAME_H

#include "protocol/message.h"

enum { FRAME_DEPTH_MAX = 32, ICE_URLS_MAX = 32, ICE_URL_BYTES_MAX = 128 };

struct frame {
	bool is_register;
	struct name agent;     /* of a register */
	struct name room;      /* "default" if none was named */
	enum signal_kind kind; /* of the others */
	struct name from;
	struct name to;
};

/* ACCEPTED, or REFUSED_FRAME, REFUSED_NAME, REFUSED_ROOM, REFUSED_SPOOFED (no usable `from`): an
 * error for the sender, whose connection stays. */
enum verdict frame_parse(struct span text, struct frame *out);

/* Where STUN and TURN are, and with what credential (its username "" if there is none to hand out).
 */
struct ice {
	size_t count; /* each is a STUN url, and a TURN url if there is a credential */
	char hosts[ICE_URLS_MAX][ICE_URL_BYTES_MAX]; /* "192.0.2.1:3478" */
	bool over_tcp;                               /* TURN is served there over TCP, too */
	size_t tls_count;
	char tls_hosts[ICE_URLS_MAX][ICE_URL_BYTES_MAX]; /* where it is served over TLS */
	const char *username;
	const char *credential;
};

/* The names of a room, one after the other; NULL at the end. */
struct frame_roster {
	const struct name *(*next)(void *context);
	void *context;
};

/* The roster does not hold the newcomer: nobody is connected to itself. */
char *frame_write_registered(const struct name *agent, const struct name *room,
			     struct frame_roster roster, const struct ice *ice);
char *frame_write_joined(const struct name *agent);
char *frame_write_left(const struct name *agent);
/* `about`: the name it is about, may be empty. */
char *frame_write_error(enum verdict verdict, const struct name *about);

#endif
