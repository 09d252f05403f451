#include "gateway/socket_address_io.h"

#include <sys/socket.h>

#include "protocol/address_io.h"

void
socket_peer(struct lws *wsi, struct address *out)
{
	struct sockaddr_storage peer = { 0 };
	socklen_t length = sizeof peer;

	*out = getpeername(lws_get_socket_fd(wsi), (struct sockaddr *)&peer, &length) == 0
		       ? address_from_sockaddr(&peer)
		       : (struct address){ 0 };
}

void
socket_local(struct lws *wsi, struct address *out)
{
	struct sockaddr_storage local = { 0 };
	socklen_t length = sizeof local;

	*out = getsockname(lws_get_socket_fd(wsi), (struct sockaddr *)&local, &length) == 0
		       ? address_from_sockaddr(&local)
		       : (struct address){ 0 };
}
