/* What a decision answers. The table is verdict.def; a refusal is a value the caller must answer.
 */
#ifndef IFSWARM_PROTOCOL_VERDICT_H
#define IFSWARM_PROTOCOL_VERDICT_H

#include <stdbool.h>
#include <stdint.h>

enum verdict {
#define VERDICT(name, number, stun, text, code) name = (number),
#include "protocol/verdict.def"
#undef VERDICT
};

/* False if no verdict has that number on the wire. */
bool verdict_from_number(uint64_t number, enum verdict *out);
uint64_t verdict_number(enum verdict verdict);
/* The STUN error code, 0 where there is none. */
unsigned verdict_stun_code(enum verdict verdict);
/* One sentence for a person; a word for a program; the constant's name for the audit. */
const char *verdict_text(enum verdict verdict);
const char *verdict_code(enum verdict verdict);
const char *verdict_name(enum verdict verdict);

#endif
