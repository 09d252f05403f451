#include "actors/cli_json_io.h"

#include <assert.h>
#include <stdio.h>

void
cli_json_print(json_t *all)
{
	assert(all != NULL);
	json_dumpf(all, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(all);
}
