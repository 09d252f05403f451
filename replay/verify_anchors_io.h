/* What others said of the log, looked for where it lies: the events checkpoint_cosigned and
 * checkpoint_timestamped, pub/cosigned, pub/timestamp/, and the checkpoint that was handed in. The
 * roots they speak of are computed anew from the log's tiles; verify_anchors.h judges.
 */
#ifndef IFSWARM_REPLAY_VERIFY_ANCHORS_IO_H
#define IFSWARM_REPLAY_VERIFY_ANCHORS_IO_H

#include "replay/verify_anchors.h"
#include "replay/witnesses_io.h"
#include "store/read_io.h"

struct anchors_place {
	const char *data_dir;
	const char *policy; /* files of --policy, --tsa-ca and --against; NULL: not given */
	const char *tsa_ca;
	const char *against;
	struct log_reader *walk;  /* events */
	struct log_reader *tiles; /* hashes and single rows, meanwhile */
};

/* After the rows were judged: breaks go to v's voice. */
void anchors_check(const struct anchors_place *place, struct verify *v,
		   struct anchors_summary *out);

#endif
