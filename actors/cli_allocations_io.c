#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "actors/cli_io.h"
#include "actors/cli_json_io.h"
#include "actors/live_ask_io.h"
#include "actors/operate_ask_io.h"
#include "protocol/event.h"
#include "protocol/record.h"
#include "protocol/time_io.h"

enum { ADDRESS_TEXT = 64, ID_TEXT = 33 };

static const char help[] =
	"usage: ifswarm allocations [--agent NAME] [--json] [--data-dir DIR]\n"
	"\n"
	"Who relays what, now: asked of the running relays, one line for each allocation; its "
	"peers\n"
	"(with a channel's number), bytes up (client to peer) and down, seconds since it began "
	"and\n"
	"until it ends. Names and addresses are personal: that you looked is an event of the log.\n"
	"\n"
	"  --agent NAME  those of that agent alone\n"
	"  --json        {\"allocations\":[{\"allocation\",\"relay\",\"agent\",\"client\","
	"\"transport\",\n"
	"                \"server\",\"relayed\",\"age_s\",\"expires_s\",\"packets_up\","
	"\"bytes_up\",\n"
	"                \"packets_down\",\"bytes_down\",\"peers\":[{\"peer\",\"channel\","
	"\"expires_s\"}]}]}\n"
	"                relayed: an array; age_s null: older than this relay's memory; channel\n"
	"                null: a permission or a TCP connection, whose expires_s is null\n"
	"\n"
	"Exit code 0: all relays answered; 1: no cluster, or a relay whose allocations are "
	"missing.\n";

struct listing {
	uint64_t now_us;
	uint64_t count;
	json_t *all; /* NULL: a table is printed */
};

static uint64_t
seconds_until(uint64_t then_us, uint64_t now_us)
{
	return then_us > now_us ? (then_us - now_us) / 1000000 : 0;
}

static json_t *
address_json(const struct address *address)
{
	char text[ADDRESS_TEXT];

	address_print(text, sizeof text, address);
	return json_string(text);
}

/* An array, for there may be one of each family. */
static json_t *
relayed_json(const struct live_allocation *a)
{
	json_t *all = json_array();

	json_array_append_new(all, address_json(&a->relayed));
	if (a->relayed_also.family != ADDRESS_NONE) {
		json_array_append_new(all, address_json(&a->relayed_also));
	}
	return all;
}

static json_t *
expires_json(uint64_t expires_us, uint64_t now_us)
{
	return expires_us == UINT64_MAX
		       ? json_null()
		       : json_integer((json_int_t)seconds_until(expires_us, now_us));
}

static json_t *
peers_json(const struct live_allocation *a, uint64_t now_us)
{
	json_t *all = json_array();

	for (size_t i = 0; i < a->peer_count; i++) {
		const struct live_peer *peer = &a->peers[i];

		json_t *channel = peer->channel <= PEER_CONNECTION
					  ? json_null()
					  : json_integer((json_int_t)peer->channel);

		json_array_append_new(all, json_pack("{s:o, s:o, s:o}", "peer",
						     address_json(&peer->address), "channel",
						     channel, "expires_s",
						     expires_json(peer->expires_us, now_us)));
	}
	return all;
}

static void
add_json(struct listing *listing, const struct live_allocation *a)
{
	char id[ID_TEXT];
	json_t *row = json_object();

	hex_write(id, a->id.bytes, sizeof a->id.bytes);
	json_object_set_new(row, "allocation", json_string(id));
	json_object_set_new(row, "relay", json_integer((json_int_t)a->relay));
	json_object_set_new(row, "agent", json_stringn(a->user.bytes, a->user.length));
	json_object_set_new(row, "client", address_json(&a->client));
	json_object_set_new(row, "transport",
			    json_string(client_transport_name(a->client_transport)));
	json_object_set_new(row, "server", address_json(&a->server));
	json_object_set_new(row, "relayed", relayed_json(a));
	json_object_set_new(row, "age_s",
			    a->created_us == 0 ? json_null()
					       : json_integer((json_int_t)seconds_until(
							 listing->now_us, a->created_us)));
	json_object_set_new(
		row, "expires_s",
		json_integer((json_int_t)seconds_until(a->expires_us, listing->now_us)));
	json_object_set_new(row, "packets_up", json_integer((json_int_t)a->usage.packets_up));
	json_object_set_new(row, "bytes_up", json_integer((json_int_t)a->usage.bytes_up));
	json_object_set_new(row, "packets_down", json_integer((json_int_t)a->usage.packets_down));
	json_object_set_new(row, "bytes_down", json_integer((json_int_t)a->usage.bytes_down));
	json_object_set_new(row, "peers", peers_json(a, listing->now_us));
	json_array_append_new(listing->all, row);
}

static void
print_row(const struct listing *listing, const struct live_allocation *a)
{
	char id[ID_TEXT];
	char client[ADDRESS_TEXT];
	char relayed[ADDRESS_TEXT];
	char age[24] = "-";

	hex_write(id, a->id.bytes, sizeof a->id.bytes);
	address_print(client, sizeof client, &a->client);
	address_print(relayed, sizeof relayed, &a->relayed);
	if (a->created_us != 0) {
		snprintf(age, sizeof age, "%" PRIu64,
			 seconds_until(listing->now_us, a->created_us));
	}
	if (listing->count == 0) {
		printf("%-32s %-16s %-21s %-4s %-21s %12s %12s %6s %6s  peers\n", "allocation",
		       "agent", "client", "over", "relayed", "bytes up", "bytes down", "age",
		       "ends");
	}
	printf("%-32s %-16.*s %-21s %-4s %-21s %12" PRIu64 " %12" PRIu64 " %6s %6" PRIu64 " ", id,
	       (int)a->user.length, a->user.bytes, client,
	       client_transport_name(a->client_transport), relayed, a->usage.bytes_up,
	       a->usage.bytes_down, age, seconds_until(a->expires_us, listing->now_us));
	for (size_t i = 0; i < a->peer_count; i++) {
		char peer[ADDRESS_TEXT];

		address_print(peer, sizeof peer, &a->peers[i].address);
		printf(" %s", peer);
		if (a->peers[i].channel > PEER_CONNECTION) {
			printf("=0x%04X", (unsigned)a->peers[i].channel);
		} else if (a->peers[i].channel == PEER_CONNECTION) {
			printf("=tcp");
		}
	}
	putchar('\n');
}

static void
take(void *context, const struct live_allocation *allocation)
{
	struct listing *listing = context;

	if (listing->all != NULL) {
		add_json(listing, allocation);
	} else {
		print_row(listing, allocation);
	}
	listing->count++;
}

static int
list(const char *data, const char *agent, bool json)
{
	static struct report report;
	const struct operate_question question = { .act = "allocations", .about = agent };
	struct listing listing = { .now_us = time_now_us(), .all = json ? json_array() : NULL };
	struct live live;

	/* Who looks is written down first: without that nothing is shown. */
	if (!live_open(&live, data) || operate_ask(data, &question, &report) != ACCEPTED) {
		return EXIT_TROUBLE;
	}
	const bool good = live_list(&live, agent, take, &listing);

	if (json) {
		json_t *all = json_pack("{s:o}", "allocations", listing.all);
		cli_json_print(all);
	} else if (listing.count == 0) {
		puts("no allocations");
	}
	return good ? EXIT_HOLDS : EXIT_TROUBLE;
}

int
cli_allocations(int argc, char **argv)
{
	static struct cli cli;
	static struct settings settings;
	const char *agent = cli_take_value(&argc, argv, "agent");
	const int code = cli_begin(&cli, &settings, argc, argv, help, NULL);

	return code >= 0 ? code
			 : list(settings.data_dir.bytes, agent == NULL ? "" : agent, cli.json);
}
