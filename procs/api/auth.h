/* auth.h: who is asking, for requests that change nothing (what changes something goes to verify).
 *
 * A proven (digest, signature, wallet) is remembered, since a GET may repeat its header: the same
 * one again costs a hash instead of a recovery. Then each wallet's queries are counted.
 */
#ifndef EIDOS_API_AUTH_H
#define EIDOS_API_AUTH_H

#include "procs/api/api.h"

/* Make the memory of proven headers. NULL with err_set when there is no memory. */
struct auth_cache *auth_cache_new(void);

/* Check the header of an HTTP request against its method and path. 0, or -1 with the problem. */
int auth_request(struct api *a, struct request *r, u8 wallet[WALLET_BYTES], struct problem *p);

/* Check {wallet, timestamp, signature} of a WebSocket: a Request over "WS" and "/ws", or the older
 * personal_sign text. */
int auth_socket(struct api *a, json_t *params, u8 wallet[WALLET_BYTES], struct problem *p);

#endif
