/* Relayed sockets on their way from one relay to another (relay_move.c), over a relay_post. A
 * socket comes as it is, with what peers have sent and nobody has read. */
#ifndef IFSWARM_ACTORS_RELAY_HAND_IO_H
#define IFSWARM_ACTORS_RELAY_HAND_IO_H

#include "protocol/types.h"

struct relay_hand;

/* NULL: it was logged. `run_dir` is borrowed. */
struct relay_hand *relay_hand_open(const char *run_dir, unsigned relay);
/* NULL is ignored. */
void relay_hand_close(struct relay_hand *hand);

/* Gives that relay a socket; ours stays open. False if it does not take it now. */
bool relay_hand_give(struct relay_hand *hand, uint64_t relay, int fd);
/* The one bound to that local address, if it was given to us: the caller's from now on. -1 if not.
 */
int relay_hand_take(struct relay_hand *hand, const struct address *local);
/* About once a second: closes what nobody has taken for some seconds. */
void relay_hand_tick(struct relay_hand *hand);

#endif
