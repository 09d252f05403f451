/* doctor: what a person would look at in a data directory, in plain words, the worst first. It
 * needs no log that opens: that is when it is asked. */
#ifndef IFSWARM_REPLAY_DOCTOR_IO_H
#define IFSWARM_REPLAY_DOCTOR_IO_H

#include <stdbool.h>

/* Prints what it found and gives the exit code: 0 nothing is wrong, 1 something is. */
int doctor(const char *data_dir, bool json);

#endif
