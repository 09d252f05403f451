/* Whose word counts, for those who audit: the witnesses and the authority that are named on the
 * command line
 * (--policy, --tsa-ca), or else those of the cluster that runs or ran last in this data directory
 * (policy-file or DATA/policy.txt, tsa-ca-file). An auditor names them: what lies beside a log, its
 * operator wrote.
 */
#ifndef IFSWARM_REPLAY_WITNESSES_IO_H
#define IFSWARM_REPLAY_WITNESSES_IO_H

#include "protocol/settings.h"
#include "store/policy.h"
#include "store/timestamp.h"

struct witnesses {
	bool has_policy;
	bool is_broken; /* there is one, and it cannot be read */
	struct policy policy;
	char policy_from[512];         /* the file; or why there is none */
	struct timestamp_trust *trust; /* NULL: signers of tokens are not judged */
	char trust_from[512];
	char fault[512];          /* "", or a named file that cannot be read */
	struct settings settings; /* of the cluster, or presets */
};

/* `data_dir` NULL: only files that are named count; a file NULL: it was not named. Never NULL: a
 * named file that cannot be read leaves its reason in `fault`. */
struct witnesses *witnesses_open(const char *data_dir, const char *policy_file,
				 const char *ca_file);
void witnesses_close(struct witnesses *witnesses);

#endif
