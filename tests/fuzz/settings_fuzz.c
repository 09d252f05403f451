/* Any text as ifswarm.conf: no crash, and what was accepted is written and read again as the same.
 */
#include <stdlib.h>
#include <string.h>

#include "protocol/settings.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char written[512 * 1024];
static struct settings first;
static struct settings second;
static struct setting_faults faults;

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);

	if (text == NULL) {
		return 0;
	}
	memcpy(text, data, size);
	text[size] = '\0';
	memset(&faults, 0, sizeof faults);
	settings_preset(&first);
	settings_read(&first, text, "fuzz", &faults);
	settings_check(&first, &faults);
	free(text);

	faults.count = 0;
	settings_preset(&second);
	if (settings_write(&first, written, sizeof written) == 0) {
		abort();
	}
	settings_read(&second, written, "written", &faults);
	if (faults.count != 0 || memcmp(&first, &second, sizeof first) != 0) {
		abort();
	}
	return 0;
}
