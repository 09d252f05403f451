/* What a relay is asked over its mailbox. The supervisor asks whether we are alive, or hands over
 * other settings; operators ask what is in relay_operate.h. Nobody else has business here. */
#include "actors/relay_operate.h"
#include "actors/relay_process_io.h"
#include "actors/reload_io.h"

static void
put_tally(const struct relay_process *process, struct mp_writer *w)
{
	struct turn_tally tally;

	relay_tally(process->relay, process->kernel_drops, process->now_us, &tally);
	turn_tally_write(w, &tally);
}

static bool
is_operate(struct relay_process *process, uint32_t slot, struct span request, struct mp_writer *w)
{
	return mailbox_sender_is_operator(process->mailbox, slot) &&
	       relay_operate(process->relay, request, link_epoch(process->link), process->now_us,
			     w);
}

void
relay_process_answer_mailbox(struct relay_process *process)
{
	struct span request;
	uint32_t slot = 0;

	while (mailbox_take(process->mailbox, &slot, &request)) {
		uint8_t bytes[OPERATE_PAGE_BYTES];
		struct mp_reader r = mp_reader_of(request);
		struct mp_writer w = mp_writer_of(bytes, sizeof bytes);

		if (is_operate(process, slot, request, &w)) {
			process->asked = true; /* ends that it led to */
			mailbox_answer(process->mailbox, slot, mp_written(&w));
			continue;
		}
		mp_get_array(&r, 8);
		const bool is_ping = mp_get_u64(&r) == REQUEST_PING && !r.bad;
		const bool is_done =
			is_ping || (reload_is(request) && relay_process_reload(process, request));
		mp_put_array(&w, is_ping ? 3 : 2);
		mp_put_u64(&w, is_done ? ACCEPTED : REFUSED_MALFORMED);
		mp_put_u64(&w, link_epoch(process->link));
		if (is_ping) {
			put_tally(process, &w);
		}
		mailbox_answer(process->mailbox, slot, mp_written(&w));
	}
}
