/* Both ends of a libwebsockets connection; family ADDRESS_NONE if the socket is gone. */
#ifndef IFSWARM_GATEWAY_SOCKET_ADDRESS_IO_H
#define IFSWARM_GATEWAY_SOCKET_ADDRESS_IO_H

#include <libwebsockets.h>

#include "protocol/types.h"

void socket_peer(struct lws *wsi, struct address *out);
void socket_local(struct lws *wsi, struct address *out);

#endif
