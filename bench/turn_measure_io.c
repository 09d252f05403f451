/* What a server costs: CPU time and memory over all of its processes, and how long packets take. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench/turn_load.h"

uint64_t
load_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* The process and its descendants, parents first. */
static size_t
family_of(int pid, int out[LOAD_PROCESSES_MAX])
{
	size_t count = 1;

	out[0] = pid;
	for (size_t i = 0; i < count; i++) {
		char path[64];
		int child;
		snprintf(path, sizeof path, "/proc/%d/task/%d/children", out[i], out[i]);
		FILE *file = fopen(path, "r");
		while (file != NULL && count < LOAD_PROCESSES_MAX &&
		       fscanf(file, "%d", &child) == 1) {
			out[count++] = child;
		}
		if (file != NULL) {
			fclose(file);
		}
	}
	return count;
}

/* The threads' own times in nanoseconds: /proc/PID/stat has them in hundredths of a second. */
static uint64_t
run_time_ns(int pid)
{
	char path[64];
	uint64_t sum = 0;

	snprintf(path, sizeof path, "/proc/%d/task", pid);
	DIR *tasks = opendir(path);
	if (tasks == NULL) {
		return 0; /* it has ended */
	}
	for (struct dirent *task; (task = readdir(tasks)) != NULL;) {
		char name[400];
		unsigned long long ns = 0;
		snprintf(name, sizeof name, "%s/%s/schedstat", path, task->d_name);
		FILE *file = task->d_name[0] == '.' ? NULL : fopen(name, "r");
		if (file != NULL) {
			sum += fscanf(file, "%llu", &ns) == 1 ? ns : 0;
			fclose(file);
		}
	}
	closedir(tasks);
	return sum;
}

double
load_cpu_s(int pid)
{
	int family[LOAD_PROCESSES_MAX];
	const size_t count = family_of(pid, family);
	uint64_t sum = 0;

	for (size_t i = 0; i < count; i++) {
		sum += run_time_ns(family[i]);
	}
	if (sum == 0) {
		load_fail("cannot read /proc/%d/task: is --pid right?", pid);
	}
	return (double)sum / 1e9;
}

static uint64_t
pss_of(int pid)
{
	char path[64];
	char line[256];
	unsigned long long kib = 0;

	snprintf(path, sizeof path, "/proc/%d/smaps_rollup", pid);
	FILE *file = fopen(path, "r");
	while (file != NULL && fgets(line, sizeof line, file) != NULL) {
		if (sscanf(line, "Pss: %llu", &kib) == 1) {
			break;
		}
	}
	if (file != NULL) {
		fclose(file);
	}
	return kib * 1024;
}

uint64_t
load_pss_bytes(int pid)
{
	int family[LOAD_PROCESSES_MAX];
	const size_t count = family_of(pid, family);
	uint64_t sum = 0;

	for (size_t i = 0; i < count; i++) {
		sum += pss_of(family[i]);
	}
	return sum;
}

/* Sixteen classes for each power of two. */
static uint32_t
class_of(uint64_t ns)
{
	const uint32_t bits = ns < 16 ? 0 : 59 - (uint32_t)__builtin_clzll(ns);
	const uint32_t at = bits * 16 + (uint32_t)(ns >> bits);

	return at < LOAD_DELAYS ? at : LOAD_DELAYS - 1;
}

void
load_delay_add(struct load_delays *delays, uint64_t ns)
{
	delays->counts[class_of(ns)]++;
	delays->total++;
}

double
load_delay_us(const struct load_delays *delays, double share)
{
	const double wanted = share * (double)delays->total;
	double seen = 0;
	uint32_t at = 0;

	for (; at + 1 < LOAD_DELAYS; at++) {
		seen += (double)delays->counts[at];
		if (seen >= wanted) {
			break;
		}
	}
	if (at < 32) {
		return at / 1e3;
	}
	const uint32_t bits = at / 16 - 1;
	return (double)((uint64_t)(at % 16 + 16) << bits) / 1e3;
}
