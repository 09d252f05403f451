/* DATA/scrub/: the state of the rolling scrub, replaced as a whole, and a lock, so that one run at
 * a time moves it. */
#ifndef IFSWARM_STORE_SCRUB_IO_H
#define IFSWARM_STORE_SCRUB_IO_H

#include "store/scrub.h"

/* Makes the directory if need be and takes the lock, waiting for nobody: a descriptor that
 * scrub_unlock closes; -1 if another run holds it (*is_held) or it cannot be made. */
int scrub_lock(const char *data, bool *is_held);
void scrub_unlock(int lock);

/* All zero if there is none that can be read: then nothing was ever looked at. */
void scrub_load(const char *data, struct scrub_state *out);
bool scrub_save(const char *data, const struct scrub_state *state);
/* The log is another one from now on (restored, repaired): what was found is of the past. */
void scrub_forget(const char *data);

#endif
