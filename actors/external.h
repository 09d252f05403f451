/* external-ip = auto-detect: what STUN servers say our public address is, and whom to believe. */
#ifndef IFSWARM_ACTORS_EXTERNAL_H
#define IFSWARM_ACTORS_EXTERNAL_H

#include "protocol/settings.h"

/* The IP that most of them named (ADDRESS_NONE: no answer; ports do not count), the first of those
 * on a tie; how many named it. */
size_t external_vote(const struct address *answers, size_t count, struct address *out);

/* --- external_io.c --- */

/* Asks all `servers` (HOST or HOST:PORT) at once and waits for them, two seconds at most; sends
 * again once. How many answered; `out` is what external_vote makes of it, `votes` how many named
 * it. */
size_t external_ask(const struct setting_list *servers, struct address *out, size_t *votes);

#endif
