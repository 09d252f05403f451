/* The verifiers that every bundle carries, byte for byte as they lie in replay/verifier/: embedded
 * when ifreplay is built (embed.cmake), so that a bundle never depends on what is installed beside
 * it. */
#ifndef IFSWARM_REPLAY_VERIFIERS_H
#define IFSWARM_REPLAY_VERIFIERS_H

#include <stddef.h>

extern const unsigned char verifier_sh[];
extern const size_t verifier_sh_count;
extern const unsigned char verifier_py[];
extern const size_t verifier_py_count;

#endif
