/* order_read.h: the body of an order, from JSON to the message that verify proves.
 *
 * The order of checks is that of protocol.md 2: every field's syntax, in the order of the fields
 * below, then what fields exclude each other, then the market, then that there is a signature:
 *
 *   wallet market side type time_in_force stp price amount quote_amount nonce signature_type
 *   expire_at client_order_id slippage_bps
 */
#ifndef EIDOS_API_ORDER_READ_H
#define EIDOS_API_ORDER_READ_H

#include "procs/api/request.h"
#include "shm/rules.h"

enum { SLIPPAGE_MIN = 10, SLIPPAGE_MAX = 1000, SLIPPAGE_DEFAULT = 100 }; /* protocol.md 5 */

/* Fill `m` (all but request and time). `header` says whether an Authorization header came with it,
 * which only decides between 10008 and 10003 when the signature is missing. 0 or -1. */
int order_read(json_t *body, const struct rules *r, bool header, struct msg_order *m,
               struct problem *p);

/* The same for POST /orders/prepare: the wallet is known, nonce and signature are not wanted, and
 * the signature will be v2. */
int order_read_prepare(json_t *body, const struct rules *r, const u8 wallet[WALLET_BYTES],
                       struct msg_order *m, struct problem *p);

#endif
