/* ws_channels.h: what a message does: subscribe, unsubscribe, authenticate, order, cancel. */
#ifndef EIDOS_API_WS_CHANNELS_H
#define EIDOS_API_WS_CHANNELS_H

#include "procs/api/hub.h"

/* Act on one whole text message. */
void channels_message(struct ws *ws, const char *text, size_t len);

/* End all subscriptions of a connection and forget who it is. */
void channels_leave(struct ws *ws);

/* The list of connections of a wallet's bucket; others may share it. */
struct link *channels_of_wallet(struct hub *h, const u8 wallet[WALLET_BYTES]);

#endif
