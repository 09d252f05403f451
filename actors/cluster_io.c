#include "actors/cluster_io.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "actors/anchor_config_io.h"
#include "actors/child_io.h"
#include "actors/data_dir_io.h"
#include "actors/relay_config.h"
#include "protocol/log_line_io.h"

static const char *const kinds[] = { "witness", "session", "allocation", "relay",
				     "gateway", "intake",  "anchor",     "cosigner" };

bool
actor_serves_turn(const struct actor *actor)
{
	return actor->kind == ACTOR_WITNESS || actor->kind == ACTOR_ALLOCATION ||
	       actor->kind == ACTOR_RELAY;
}

bool
actor_serves_signaling(const struct actor *actor)
{
	return actor->kind == ACTOR_WITNESS || actor->kind == ACTOR_SESSION ||
	       actor->kind == ACTOR_GATEWAY;
}

/* --- what is handed over --- */

static int
settings_memfd(const struct settings *settings, bool is_public)
{
	char *text = malloc(SETTINGS_TEXT_MAX);
	const size_t length = text == NULL ? 0 : settings_write(settings, text, SETTINGS_TEXT_MAX);
	int fd = -1;

	assert(length > 0);
	if (!is_public || running_settings_write(settings->data_dir.bytes, text, length)) {
		fd = sealed_memfd("settings", text, length);
	}
	explicit_bzero(text, length);
	free(text);
	if (fd < 0) {
		log_error("cannot make a memfd: %s", strerror(errno));
	}
	return fd;
}

/* Whoever needs no secret gets none. */
static bool
prepare_settings(struct cluster *cluster)
{
	struct settings *each = malloc(3 * sizeof *each);
	struct settings *turn = each, *claims = each + 1, *public = each + 2;

	assert(each != NULL);
	for (int i = 0; i < 3; i++) {
		each[i] = *cluster->settings;
	}
	turn->claims_token.count = 0;
	claims->user.count = 0;
	claims->static_auth_secret.count = 0;
	claims->retired_auth_secret.count = 0;
	*public = *claims;
	public->claims_token.count = 0;
	cluster->settings_fd = settings_memfd(turn, false);
	cluster->settings_claims_fd = settings_memfd(claims, false);
	cluster->settings_public_fd = settings_memfd(public, true);
	explicit_bzero(each, 3 * sizeof *each);
	free(each);
	return cluster->settings_fd >= 0 && cluster->settings_claims_fd >= 0 &&
	       cluster->settings_public_fd >= 0;
}

/* The other programs lie beside this one. */
static bool
own_directory(char *out, size_t size)
{
	const ssize_t length = readlink("/proc/self/exe", out, size - 1);

	if (length <= 0) {
		log_error("cannot read /proc/self/exe: %s: is /proc mounted?", strerror(errno));
		return false;
	}
	out[length] = '\0';
	char *slash = strrchr(out, '/');
	assert(slash != NULL);
	*slash = '\0';
	return true;
}

bool
cluster_program(char out[CLUSTER_PROGRAM_MAX], const char *name)
{
	char directory[PATH_MAX];

	if (!own_directory(directory, sizeof directory)) {
		return false;
	}
	const int length = snprintf(out, CLUSTER_PROGRAM_MAX, "%.960s/%s", directory, name);
	if (length < 0 || access(out, X_OK) != 0) {
		log_error("%s is missing: build all programs, or install them together", out);
		return false;
	}
	return true;
}

static bool
add_actor(struct cluster *cluster, enum actor_kind kind, unsigned number, enum cluster_group group)
{
	const size_t at = supervisor_add(&cluster->supervisor, group);
	struct actor *actor = &cluster->actors[at];
	char url[MAILBOX_URL_MAX];
	char fault[MAILBOX_URL_MAX];
	char program[40];

	*actor = (struct actor){ .kind = kind, .number = number };
	if (kind == ACTOR_RELAY || kind == ACTOR_GATEWAY) {
		snprintf(actor->name, sizeof actor->name, "%s-%u", kinds[kind], number);
	} else {
		snprintf(actor->name, sizeof actor->name, "%s", kinds[kind]);
	}
	snprintf(program, sizeof program, "ifswarm-%s", kinds[kind]);
	if (!cluster_program(actor->program, program)) {
		return false;
	}
	mailbox_url(url, sizeof url, cluster->run_dir, actor->name);
	actor->mailbox = mailbox_dial(url, 2, fault, sizeof fault);
	if (actor->mailbox == NULL) {
		log_error("%s", fault);
	}
	return actor->mailbox != NULL;
}

static bool
add_actors(struct cluster *cluster)
{
	bool added = add_actor(cluster, ACTOR_WITNESS, 1, GROUP_WITNESS) &&
		     add_actor(cluster, ACTOR_SESSION, 1, GROUP_DECIDERS) &&
		     add_actor(cluster, ACTOR_ALLOCATION, 1, GROUP_DECIDERS);

	for (unsigned n = 1; added && n <= cluster->settings->relays; n++) {
		added = add_actor(cluster, ACTOR_RELAY, n, GROUP_RELAYS);
	}
	for (unsigned n = 1; added && n <= cluster->settings->gateways; n++) {
		added = add_actor(cluster, ACTOR_GATEWAY, n, GROUP_GATEWAYS);
	}
	if (added && cluster->sockets.claims >= 0) {
		added = add_actor(cluster, ACTOR_INTAKE, 1, GROUP_GATEWAYS);
	}
	if (added && anchor_is_wanted(cluster->settings)) {
		added = add_actor(cluster, ACTOR_ANCHOR, 1, GROUP_GATEWAYS);
	}
	if (added && cluster->sockets.cosigner >= 0) {
		added = add_actor(cluster, ACTOR_COSIGNER, 1, GROUP_GATEWAYS);
	}
	return added;
}

bool
cluster_prepare(struct cluster *cluster, struct settings *settings,
		const struct settings_source *source)
{
	const char *data = settings->data_dir.bytes;
	const char *fault;

	memset(cluster, 0, sizeof *cluster);
	cluster->settings = settings;
	cluster->source = source;
	if (!data_dir_make(data)) {
		return false;
	}
	cluster->lock_fd = data_dir_lock(data);
	if (cluster->lock_fd < 0 || !run_dir_make(data, cluster->run_dir) ||
	    !sockets_open(&cluster->sockets, settings, source->listening_is_preset) ||
	    !turn_secret_add(settings, true)) {
		return false;
	}
	if ((fault = relay_config_fault(settings)) != NULL) {
		log_error("the settings cannot be used: %s", fault);
		return false;
	}
	cluster->nonce_key_fd = nonce_key_open(data);
	return cluster->nonce_key_fd >= 0 && cluster_prepare_certificate(cluster) &&
	       prepare_settings(cluster) && add_actors(cluster);
}

bool
cluster_reload(struct cluster *cluster, const struct settings *settings)
{
	struct cluster fresh = { .settings = cluster->settings };
	struct settings *old = malloc(sizeof *old);

	assert(old != NULL);
	*old = *cluster->settings;
	*cluster->settings = *settings;
	const bool taken = prepare_settings(&fresh);

	if (taken) {
		close(cluster->settings_fd);
		close(cluster->settings_claims_fd);
		close(cluster->settings_public_fd);
		cluster->settings_fd = fresh.settings_fd;
		cluster->settings_claims_fd = fresh.settings_claims_fd;
		cluster->settings_public_fd = fresh.settings_public_fd;
	} else {
		*cluster->settings = *old;
	}
	explicit_bzero(old, sizeof *old);
	free(old);
	return taken;
}

/* --- starting --- */

struct plan_texts {
	char number[12];
	char fds[CHILD_FDS_MAX][12];
	size_t used;
};

static void
plan_fd(struct child_plan *plan, struct plan_texts *texts, const char *option, int fd)
{
	assert(texts->used < CHILD_FDS_MAX);
	child_plan_add_fd(plan, option, fd, texts->fds[texts->used++]);
}

static int
settings_for(const struct cluster *cluster, enum actor_kind kind)
{
	if (kind == ACTOR_INTAKE) {
		return cluster->settings_claims_fd;
	}
	return kind == ACTOR_RELAY || kind == ACTOR_GATEWAY ? cluster->settings_fd
							    : cluster->settings_public_fd;
}

size_t
cluster_settings_text(const struct cluster *cluster, enum actor_kind kind, char *out)
{
	const int fd = settings_for(cluster, kind);
	size_t used = 0;
	ssize_t got = 1;

	while (used < SETTINGS_TEXT_MAX && got > 0) {
		got = pread(fd, out + used, SETTINGS_TEXT_MAX - used, (off_t)used);
		used += got > 0 ? (size_t)got : 0;
	}
	return got < 0 ? 0 : used;
}

/* Those of that relay; none if that is not served. */
static void
plan_sockets(struct child_plan *plan, struct plan_texts *texts, const char *option,
	     const struct sockets *sockets, const int *all, unsigned number)
{
	for (size_t i = 0; all != NULL && i < sockets->udp_each; i++) {
		plan_fd(plan, texts, option, all[(number - 1) * sockets->udp_each + i]);
	}
}

static void
plan_relay(struct child_plan *plan, struct plan_texts *texts, const struct cluster *cluster,
	   unsigned number)
{
	const struct sockets *sockets = &cluster->sockets;

	plan_sockets(plan, texts, "--udp-fd", sockets, sockets->udp, number);
	plan_sockets(plan, texts, "--udp-fd", sockets, sockets->alternate, number);
	plan_sockets(plan, texts, "--udp-fd", sockets, sockets->dtls, number);
	plan_sockets(plan, texts, "--listen-fd", sockets, sockets->turn_tcp, number);
	plan_sockets(plan, texts, "--listen-fd", sockets, sockets->turn_tls, number);
	plan_sockets(plan, texts, "--listen-fd", sockets, sockets->proxied, number);
	if (cluster->certificate_fd >= 0) {
		plan_fd(plan, texts, "--certificate-fd", cluster->certificate_fd);
	}
	plan_fd(plan, texts, "--nonce-key-fd", cluster->nonce_key_fd);
}

bool
cluster_start(struct cluster *cluster, size_t at)
{
	struct actor *actor = &cluster->actors[at];
	struct plan_texts texts = { .used = 0 };
	struct child_plan plan;

	child_plan_start(&plan, actor->program);
	snprintf(texts.number, sizeof texts.number, "%u", actor->number);
	child_plan_add(&plan, "--number", texts.number);
	plan_fd(&plan, &texts, "--settings-fd", settings_for(cluster, actor->kind));
	child_plan_add(&plan, "--run-dir", cluster->run_dir);
	plan.fds[plan.fd_count++] = cluster->lock_fd;
	if (actor->kind == ACTOR_RELAY) {
		plan_relay(&plan, &texts, cluster, actor->number);
	} else if (actor->kind == ACTOR_GATEWAY) {
		plan_fd(&plan, &texts, "--listen-fd", cluster->sockets.tcp);
	} else if (actor->kind == ACTOR_INTAKE) {
		plan_fd(&plan, &texts, "--listen-fd", cluster->sockets.claims);
	} else if (actor->kind == ACTOR_COSIGNER) {
		plan_fd(&plan, &texts, "--listen-fd", cluster->sockets.cosigner);
	}
	const pid_t pid = child_start(&plan);

	if (pid < 0) {
		log_error("cannot start %s: %s: check the limits of processes and memory",
			  actor->name, strerror(errno));
		return false;
	}
	actor->pid = pid;
	return true;
}
