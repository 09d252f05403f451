/* The mailbox: requests and replies between actors, over nng REQ/REP. Nobody else knows nng:
 * mailbox_server_io.c is one end, mailbox_client_io.c the other, mailbox_io.c what both share.
 *
 * A server takes requests in the order they arrive and may answer them in any order, later. A
 * client has a fixed number of lanes, each with at most one request on its way. When the server
 * dies, nng sends what was not answered again to the next one: whatever is asked must be safe to
 * receive twice.
 *
 * Both ends have a file descriptor that is readable while something waits, for poll, epoll or
 * libuv. All functions are for one thread; nng's own threads stay behind it. A fault of nng
 * itself (no memory, no threads) ends the process with a line that says so. */
#ifndef IFSWARM_ACTORS_MAILBOX_IO_H
#define IFSWARM_ACTORS_MAILBOX_IO_H

#include "protocol/types.h"

struct mailbox_server;

/* Listens on "ipc://…". `slots`: how many requests may be unanswered at once. NULL, with a sentence
 * in `fault`, if it cannot. */
struct mailbox_server *mailbox_listen(const char *url, size_t slots, char *fault,
				      size_t fault_size);
int mailbox_server_fd(const struct mailbox_server *server);
/* The next request, if one waits. `bytes` stays until the slot is answered. */
bool mailbox_take(struct mailbox_server *server, uint32_t *slot, struct span *bytes);
/* Each taken slot is answered exactly once; the bytes are copied. */
void mailbox_answer(struct mailbox_server *server, uint32_t slot, struct span bytes);
/* The user whose process sent it, as the kernel says; UINT64_MAX if it does not. */
uint64_t mailbox_sender_uid(const struct mailbox_server *server, uint32_t slot);
/* True for a process of root or of our own user: who else may act on a cluster (THREATS G3)? */
bool mailbox_sender_is_operator(const struct mailbox_server *server, uint32_t slot);
/* Answers given are sent before it returns (up to half a second). */
void mailbox_close(struct mailbox_server *server);

struct mailbox_client;

/* Connects in the background, and again whenever the connection breaks. */
struct mailbox_client *mailbox_dial(const char *url, size_t lanes, char *fault, size_t fault_size);
int mailbox_client_fd(const struct mailbox_client *client);
/* The lane is free (never used, or its reply was taken). The bytes are copied. */
void mailbox_request(struct mailbox_client *client, size_t lane, struct span bytes);
bool mailbox_lane_is_free(const struct mailbox_client *client, size_t lane);
/* What that lane asks is sent again after that many milliseconds without an answer (nng's default
 * is a minute). Only for requests that may be answered twice. */
void mailbox_lane_resend(struct mailbox_client *client, size_t lane, int after_ms);
/* Gives the lane's request up: its reply will not be seen. */
void mailbox_cancel(struct mailbox_client *client, size_t lane);
/* The next reply, if one waits. `bytes` stays until the lane's next request. */
bool mailbox_reply(struct mailbox_client *client, size_t *lane, struct span *bytes);
void mailbox_hang_up(struct mailbox_client *client);

/* One request and its reply, waiting at most `timeout_ms`: for commands and start-up. The reply is
 * copied into `out`; 0 if none came. */
size_t mailbox_ask(const char *url, struct span request, void *out, size_t size, int timeout_ms);

/* "ipc://RUN_DIR/NAME.ipc" */
enum { MAILBOX_URL_MAX = 512 };
void mailbox_url(char *out, size_t size, const char *run_dir, const char *name);

#endif
