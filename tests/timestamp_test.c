/* Timestamps, against a response that `openssl ts` made. */
#include "tests/vector_file.h"

#include "store/timestamp.h"

struct vector {
	json_t *root;
	struct vector_bytes response;
	uint8_t nonce[TIMESTAMP_NONCE_BYTES];
	struct span data;
	struct timestamp_trust *trust;
};

static struct span
span_of(const char *text)
{
	return (struct span){ (const uint8_t *)text, strlen(text) };
}

static int
load(void **state)
{
	static struct vector v;

	v.root = vectors_load("timestamp");
	v.response = vector_hex(v.root, "response");
	v.data = span_of(vector_text(v.root, "data"));
	vector_fixed(v.root, "nonce", v.nonce, sizeof v.nonce);
	v.trust = timestamp_trust_read(span_of(vector_text(v.root, "ca")));
	assert_non_null(v.trust);
	*state = &v;
	return 0;
}

static int
unload(void **state)
{
	struct vector *v = *state;

	timestamp_trust_free(v->trust);
	free(v->response.memory);
	json_decref(v->root);
	return 0;
}

static void
test_the_request_is_the_one_that_openssl_makes(void **state)
{
	struct vector *v = *state;
	struct vector_bytes expected = vector_hex(v->root, "request");
	uint8_t request[TIMESTAMP_REQUEST_MAX];

	assert_int_equal(timestamp_request(v->data, v->nonce, request), expected.span.count);
	assert_memory_equal(request, expected.span.at, expected.span.count);
	free(expected.memory);
}

static void
test_what_holds(void **state)
{
	struct vector *v = *state;
	char fault[TIMESTAMP_FAULT_MAX] = "";
	uint64_t time_s = 0;

	assert_true(timestamp_holds(v->response.span, v->data, v->nonce, v->trust, &time_s, fault));
	assert_int_equal(time_s, vector_number(v->root, "time"));
	assert_true(timestamp_holds(v->response.span, v->data, NULL, v->trust, &time_s, fault));
	assert_true(timestamp_holds(v->response.span, v->data, NULL, NULL, &time_s, fault));
}

static void
test_what_is_refused_by_name(void **state)
{
	struct vector *v = *state;
	struct vector_bytes rejection = vector_hex(v->root, "rejection");
	struct timestamp_trust *other =
		timestamp_trust_read(span_of(vector_text(v->root, "other_ca")));
	const uint8_t other_nonce[TIMESTAMP_NONCE_BYTES] = { 1, 2, 3 };
	const struct span cut = { v->response.span.at, v->response.span.count - 1 };
	const struct {
		const char *name;
		struct span response, data;
		const uint8_t *nonce;
		const struct timestamp_trust *trust;
		const char *says;
	} rows[] = {
		{ "other bytes", v->response.span, span_of("other"), v->nonce, v->trust,
		  "imprint" },
		{ "another nonce", v->response.span, v->data, other_nonce, v->trust, "nonce" },
		{ "an authority that is not ours", v->response.span, v->data, v->nonce, other,
		  "certificate" },
		{ "a rejection", rejection.span, v->data, v->nonce, v->trust, "did not grant" },
		{ "cut short", cut, v->data, v->nonce, v->trust, "not a timestamp response" },
		{ "nothing", { NULL, 0 }, v->data, v->nonce, v->trust, "not a timestamp response" },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char fault[TIMESTAMP_FAULT_MAX] = "";
		uint64_t time_s = 0;

		if (timestamp_holds(rows[i].response, rows[i].data, rows[i].nonce, rows[i].trust,
				    &time_s, fault) ||
		    strstr(fault, rows[i].says) == NULL || time_s != 0) {
			fail_msg("%s: \"%s\"", rows[i].name, fault);
		}
	}
	timestamp_trust_free(other);
	free(rejection.memory);
}

/* The outermost bytes of DER have slack that no signature covers; what is inside the token has
 * none: whatever changes, it holds for nothing but the same bytes and the same time. */
static void
test_no_byte_makes_it_hold_at_another_time(void **state)
{
	struct vector *v = *state;
	uint8_t *bytes = malloc(v->response.span.count);

	for (size_t i = 0; i < v->response.span.count; i++) {
		char fault[TIMESTAMP_FAULT_MAX];
		uint64_t time_s = 0;

		memcpy(bytes, v->response.span.at, v->response.span.count);
		bytes[i] ^= 0x01;
		if (timestamp_holds((struct span){ bytes, v->response.span.count }, v->data,
				    v->nonce, v->trust, &time_s, fault)) {
			assert_int_equal(time_s, vector_number(v->root, "time"));
		}
	}
	free(bytes);
}

static void
test_who_is_believed(void **state)
{
	struct vector *v = *state;
	char both[8192];
	struct timestamp_trust *trust;

	snprintf(both, sizeof both, "%s%s", vector_text(v->root, "other_ca"),
		 vector_text(v->root, "ca"));
	trust = timestamp_trust_read(span_of(both));
	assert_non_null(trust);
	timestamp_trust_free(trust);
	both[strlen(both) - 60] = '!';
	assert_null(timestamp_trust_read(span_of(both)));
	assert_null(timestamp_trust_read(span_of("not PEM\n")));
	assert_null(timestamp_trust_read(span_of("")));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_request_is_the_one_that_openssl_makes),
		cmocka_unit_test(test_what_holds),
		cmocka_unit_test(test_what_is_refused_by_name),
		cmocka_unit_test(test_no_byte_makes_it_hold_at_another_time),
		cmocka_unit_test(test_who_is_believed),
	};

	return cmocka_run_group_tests(tests, load, unload);
}
