/* limit.h: how much a client may ask, counted over all workers (shm/limits.h), and the numbers that
 * the X-RateLimit headers tell.
 *
 *   connection   open ones of its address
 *   request      all together in a second -> those of its address in a minute
 *   query        those of its wallet in a second, once the signature is proven
 *   order, cancel, withdrawal
 *                refused by verify, which alone knows what is proven; here they are only counted
 *                when trading's reply comes, to tell what is left
 */
#ifndef EIDOS_API_LIMIT_H
#define EIDOS_API_LIMIT_H

#include <sys/socket.h>

#include "procs/api/api.h"

struct limiter;

/* Read limits.exempt and join the workers' tables. 0 or -1. */
int limit_start(struct api *a);
void limit_stop(struct api *a);

/* The key of a client's address; 0 = it is exempt. */
u64 limit_address(const struct api *a, const struct sockaddr *address);

/* A connection begins: may it? If so, it is counted until limit_disconnect. */
bool limit_connect(struct api *a, u64 address);
void limit_disconnect(struct api *a, u64 address);

/* Count a request of an address. 0, or -1 with the problem (429, or 503 when all together ask too
 * much). */
int limit_request(struct api *a, struct request *r, u64 address, struct problem *p);

/* Count a query of a wallet that has proven itself. 0 or -1. */
int limit_query(struct api *a, struct request *r, const u8 wallet[WALLET_BYTES], struct problem *p);

/* A message of this kind (enum msg_kind) of the wallet goes to verify; its reply has come, with the
 * code and, when it was refused for its rate, the time to wait. */
void limit_asked(struct api *a, struct request *r, const u8 wallet[WALLET_BYTES], u16 kind);
void limit_replied(struct api *a, struct request *r, u16 code, u32 retry_after_ms);

#endif
