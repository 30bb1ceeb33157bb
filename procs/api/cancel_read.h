/* cancel_read.h: what cancels, from body, query or header to the message that verify proves.
 *
 *   DELETE /orders/{id}   body {wallet, nonce, signature}     a signed Cancel, uses a nonce
 *                         header, no signature in a body      a signed Request, good once
 *   DELETE /orders        header; market, side, order_ids in the query or the body
 *   order.cancel          params {order_id, wallet, nonce | timestamp, signature}
 *   order.cancel_all      params {wallet, timestamp, signature, market, side, order_ids}
 */
#ifndef EIDOS_API_CANCEL_READ_H
#define EIDOS_API_CANCEL_READ_H

#include "procs/api/request.h"
#include "shm/rules.h"

#define CANCEL_BYTES (sizeof(struct msg_cancel) + MSG_CANCEL_IDS_MAX * sizeof(u64))

/* Room for any cancel. */
union cancel_msg {
    struct msg_cancel msg;
    u8 bytes[CANCEL_BYTES];
};

/* One order. `body` is NULL when there is none; `header` is the Authorization header or NULL;
 * `path` is what a Request signs. 0 or -1. */
int cancel_read_one(struct span id, json_t *body, const char *header, struct span path,
                    union cancel_msg *c, struct problem *p);

/* Orders by filter; fields of the body win over none in the query, both at once are refused. */
int cancel_read_many(const struct target *t, json_t *body, const char *header,
                     const struct rules *r, union cancel_msg *c, struct problem *p);

/* The same two over WebSocket: everything is in `params`. */
int cancel_read_socket(json_t *params, bool all, const struct rules *r, union cancel_msg *c,
                       struct problem *p);

#endif
