#include "protocol/verdict.h"

bool
verdict_from_number(uint64_t number, enum verdict *out)
{
	switch (number) {
#define VERDICT(name, wire, stun, text, code)                                                      \
	case (wire):                                                                               \
		*out = name;                                                                       \
		return true;
#include "protocol/verdict.def"
#undef VERDICT
	}
	return false;
}

uint64_t
verdict_number(enum verdict verdict)
{
	switch (verdict) {
#define VERDICT(name, wire, stun, text, code)                                                      \
	case name:                                                                                 \
		return (wire);
#include "protocol/verdict.def"
#undef VERDICT
	}
	return 0;
}

unsigned
verdict_stun_code(enum verdict verdict)
{
	switch (verdict) {
#define VERDICT(name, wire, stun, text, code)                                                      \
	case name:                                                                                 \
		return (stun);
#include "protocol/verdict.def"
#undef VERDICT
	}
	return 500;
}

const char *
verdict_text(enum verdict verdict)
{
	switch (verdict) {
#define VERDICT(name, wire, stun, text, code)                                                      \
	case name:                                                                                 \
		return (text);
#include "protocol/verdict.def"
#undef VERDICT
	}
	return "an unknown verdict";
}

const char *
verdict_code(enum verdict verdict)
{
	switch (verdict) {
#define VERDICT(name, wire, stun, text, code)                                                      \
	case name:                                                                                 \
		return (code);
#include "protocol/verdict.def"
#undef VERDICT
	}
	return "UNKNOWN";
}

const char *
verdict_name(enum verdict verdict)
{
	switch (verdict) {
#define VERDICT(name, wire, stun, text, code)                                                      \
	case name:                                                                                 \
		return #name;
#include "protocol/verdict.def"
#undef VERDICT
	}
	return "UNKNOWN";
}
