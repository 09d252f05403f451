/* The files that say who anchors our log and whose logs we cosign: read when the configuration is
 * checked, and again by each process that needs one, before it gives the file system up. */
#ifndef IFSWARM_ACTORS_ANCHOR_CONFIG_IO_H
#define IFSWARM_ACTORS_ANCHOR_CONFIG_IO_H

#include "protocol/settings.h"
#include "store/policy.h"
#include "store/timestamp.h"

enum { ANCHOR_FAULT_MAX = SETTING_FAULT_MAX };

/* policy-file, or DATA/policy.txt: without either the policy is empty, and nobody is asked. False
 * with "FILE: line N: ..." in `fault`. */
bool anchor_policy_read(const struct settings *settings, struct policy *out,
			char fault[ANCHOR_FAULT_MAX]);
/* witness-logs, or DATA/logs.txt, which must be there while witness-port is set. */
bool anchor_logs_read(const struct settings *settings, struct policy *out,
		      char fault[ANCHOR_FAULT_MAX]);
/* tsa-ca-file; NULL with a fault. */
struct timestamp_trust *anchor_trust_read(const struct settings *settings,
					  char fault[ANCHOR_FAULT_MAX]);

/* All of them, where they are configured. */
void anchor_config_check(const struct settings *settings, struct setting_faults *faults);
/* Somebody is to be asked: a witness with a URL, or an authority. */
bool anchor_is_wanted(const struct settings *settings);

#endif
