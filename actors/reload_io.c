#include "actors/reload_io.h"

#include <stdlib.h>
#include <string.h>

#include "actors/certificate_io.h"
#include "protocol/log_line_io.h"
#include "protocol/message.h"

bool
reload_is(struct span request)
{
	struct mp_reader r = mp_reader_of(request);

	return mp_get_array(&r, 8) == 3 && mp_get_u64(&r) == REQUEST_RELOAD && !r.bad;
}

static bool
read_text(struct span text, struct settings *out)
{
	static struct setting_faults faults;
	char *terminated = calloc(1, text.count + 1);

	if (terminated == NULL) {
		return false;
	}
	memcpy(terminated, text.at, text.count);
	faults.count = 0;
	settings_preset(out);
	settings_read(out, terminated, "settings", &faults);
	explicit_bzero(terminated, text.count);
	free(terminated);
	return faults.count == 0;
}

static bool
read_parts(struct span request, struct span *text, struct span *certificate)
{
	struct mp_reader r = mp_reader_of(request);

	mp_get_array(&r, 3);
	mp_get_u64(&r);
	*text = mp_get_str(&r, SETTINGS_TEXT_MAX);
	*certificate = mp_get_bin(&r, CERTIFICATE_PACKED_MAX);
	return mp_reader_is_done(&r);
}

struct span
reload_certificate(struct span request)
{
	struct span text;
	struct span certificate;

	return read_parts(request, &text, &certificate) ? certificate : (struct span){ 0 };
}

bool
reload_take(struct span request, struct settings *settings)
{
	static struct settings next;
	enum log_level level = LOG_LINE_INFO;
	struct span text;
	struct span certificate;

	if (!read_parts(request, &text, &certificate) || !read_text(text, &next)) {
		log_error("a configuration that was to be reloaded cannot be read");
		return false;
	}
	*settings = next;
	explicit_bzero(&next, sizeof next);
	log_level_from_word(settings->log_level.bytes, &level);
	log_level_set(level);
	log_info("the configuration was reloaded");
	return true;
}
