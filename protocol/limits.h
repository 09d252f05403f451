/* Every bound of the system, with the inequality it relies on beside it. */
#ifndef IFSWARM_PROTOCOL_LIMITS_H
#define IFSWARM_PROTOCOL_LIMITS_H

/* clang-format off */
enum {
	/* Names: agent ids, room names, user names (a TURN USERNAME is "expiry:agent"). */
	NAME_BYTES_MAX = 256,
	TEXT_BYTES_MAX = 64,
	JSON_BYTES_MAX = 1024, /* the metadata of a claim */

	/* Evidence (EVIDENCE section 1 and 3). */
	ENTRY_BYTES_MAX	       = 65535,
	ENTRY_ELEMENTS	       = 15,
	SEALED_PARTS_MAX       = 2,
	SEALED_BYTES_MAX       = 4096, /* a claim: five names, its metadata, an address */
	TILE_HASHES	       = 256,
	EVENTS_PER_COMMAND_MAX = 32,
	EVENTS_PER_APPEND_MAX  = 4096,
	CLAIMS_PER_APPEND_MAX  = 512, /* each is answered with its seq */
	STREAMS		       = 6, /* 1 to 5 are used */
	SCRUB_DAYS_MAX	       = 3650, /* for one whole round */

	/* Signaling. */
	FRAME_BYTES_MAX		  = 64 * 1024,
	GATEWAYS_MAX		  = 16,
	RELAYS_MAX		  = 16,
	COMMANDS_PER_REQUEST_MAX  = 512,
	NOTICES_PER_REPLY_MAX	  = 512,
	NOTICES_QUEUED_MAX	  = 8192,
	AGENTS_MAX		  = 16384,
	ROOMS_MAX		  = 4096,
	SESSION_NAMES_MAX	  = 8192, /* agents and rooms, gone ones too, whose handle is remembered */
	RECENT_COMMANDS_MAX	  = 8192, /* accepted ones that session recognises when they come again */
	KNOWN_NAMES_MAX		  = 16384,

	/* TURN (RFC 8656). */
	DATAGRAM_BYTES_MAX	   = 65535,
	PERMISSION_LIFETIME_S	   = 300,
	CHANNEL_LIFETIME_S	   = 600,
	ALLOCATION_LIFETIME_S	   = 600,
	ALLOCATION_LIFETIME_MAX_S  = 3600,
	ALLOCATION_MOVES_MAX	   = 65535, /* a ticket says in 16 bits which of them it is for */
	ALLOCATIONS_MAX		   = 16384,
	PEERS_PER_ALLOCATION_MAX   = 64, /* permissions; and as many channels */
	PEERS_MAX		   = 4 * ALLOCATIONS_MAX, /* permissions and channels of all allocations */
	PERMIT_PEERS_MAX	   = 8, /* in one CreatePermission */
	RESERVATION_S		   = 30, /* how long the odd port of a pair is kept */
	RESERVATIONS_MAX	   = 256, /* of one relay */
	RESERVATIONS_PER_USER_MAX  = 16,
	RESERVATIONS_FETCHED_MAX   = 64, /* tokens about which one relay asks others at once */
	RESERVATION_FETCH_MS	   = 1000, /* then the other one is not answering */
	STREAM_MESSAGE_BYTES_MAX   = 65532, /* of a client's TCP stream, with padding */
	STREAMS_MAX		   = 4096, /* TCP connections of one relay */
	STREAMS_IDLE_MAX	   = 2048, /* those without an allocation */
	STREAMS_IDLE_PER_SOURCE_MAX = 64, /* from one IPv4 address or IPv6 /64 */
	STREAM_IDLE_S		   = 30, /* after which one without an allocation is closed */
	TCP_PEERS_MAX		   = 2048, /* TCP connections with peers, and attempts at one, of one relay */
	TCP_PEERS_PER_ALLOCATION_MAX = 16,
	TCP_ALLOCATIONS_MAX	   = 1024, /* of one relay: each listens */
	TCP_CONNECT_S		   = 30, /* when a Connect that failed is answered, however it did (THREATS B15) */
	TCP_BIND_S		   = 30, /* how long a connection waits for its ConnectionBind */
	EXPIRY_GRACE_S		   = 5, /* the relay stops at expiry, then reports; only then it is swept */
	CHANNEL_NUMBER_MIN	   = 0x4000,
	CHANNEL_NUMBER_MAX	   = 0x4FFF,
	CHANNEL_NUMBER_LEGACY_MAX  = 0x7FFF, /* as RFC 5766 had it: with legacy-channels */

	/* What one STUN message may name: peers of a CreatePermission, attributes in a 420. */
	STUN_PEERS_MAX	 = 16,
	STUN_UNKNOWN_MAX = 8,

	/* Credentials: static users, and secrets that are valid at once while they are rolled over. */
	ICMP_INTERVAL_MS = 100, /* between two ICMP errors that one allocation's client is told */
	CREDENTIAL_GRACE_S	  = 30, /* strict-expiry: to come with a new one */
	CREDENTIAL_USERS_MAX	  = 64,
	CREDENTIAL_SECRETS_MAX	  = 8,
	CREDENTIAL_USERNAME_BYTES = 508, /* RFC 8489 section 14.3 */
	/* A name that is valid for longer was not made by anyone who follows our rules. */
	CREDENTIAL_FUTURE_MAX_S = 366 * 86400,

	REVOKED_MAX = 1024, /* agents whose credentials were taken back */

	GATHER_US_MAX = 1000,
	BYTES_PER_S_MAX = 1000 * 1000 * 1000, /* max-bps */

	/* Peer policy: allow and deny rules together; our own listeners, and our own relayed IPs. */
	PEER_RULES_MAX = 128,
	PEER_OWN_MAX   = 224,

	/* Between actors. */
	MESSAGE_BYTES_MAX = 16 * 1024 * 1024,
};
/* clang-format on */

_Static_assert(5 * (NAME_BYTES_MAX + 3) + JSON_BYTES_MAX + 3 + 21 <= SEALED_BYTES_MAX,
	       "a claim fits one part");
_Static_assert(CHANNEL_LIFETIME_S >= PERMISSION_LIFETIME_S, "a channel outlives its permission");
_Static_assert(SESSION_NAMES_MAX <= KNOWN_NAMES_MAX, "a directory holds them");
_Static_assert(PERMIT_PEERS_MAX <= EVENTS_PER_COMMAND_MAX, "one event for each peer");
_Static_assert(RESERVATIONS_PER_USER_MAX < RESERVATIONS_MAX, "one user cannot take all of them");
_Static_assert(RESERVATION_FETCH_MS < RESERVATION_S * 1000, "the client can still come again");
_Static_assert(STREAMS_IDLE_MAX < STREAMS_MAX, "strangers leave room for who holds something");
_Static_assert(STREAM_MESSAGE_BYTES_MAX % 4 == 0 && STREAM_MESSAGE_BYTES_MAX < DATAGRAM_BYTES_MAX,
	       "a message is a datagram");
_Static_assert(ALLOCATION_LIFETIME_S <= ALLOCATION_LIFETIME_MAX_S, "the default is allowed");
_Static_assert(EVENTS_PER_COMMAND_MAX <= EVENTS_PER_APPEND_MAX, "a command fits one append");
_Static_assert(NAME_BYTES_MAX + 11 <= CREDENTIAL_USERNAME_BYTES,
	       "a name without escapes fits a USERNAME");

#endif
