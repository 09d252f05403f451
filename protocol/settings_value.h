/* What one value of the configuration may be, whatever the other keys say: for settings_set, which
 * knows the line. */
#ifndef IFSWARM_PROTOCOL_SETTINGS_VALUE_H
#define IFSWARM_PROTOCOL_SETTINGS_VALUE_H

#include "protocol/settings.h"

enum { SETTING_VALUE_FAULT_MAX = 96 };

/* True if the number is out of the key's range; then `out` follows the value and a colon: "is not
 * from 1 to 16". */
bool setting_number_fault(const char *key, uint64_t value, char out[SETTING_VALUE_FAULT_MAX]);
/* Of a word, or of one item of a list that is not empty. NULL, or what follows the value and a
 * colon. */
const char *setting_word_fault(const char *key, const char *text);

#endif
