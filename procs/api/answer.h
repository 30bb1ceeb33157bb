/* answer.h: from what a handler found to bytes that may leave.
 *
 *   answer_begin, json_put_..., answer_end      {"code":0,"message":"success","data":...}
 *   answer_problem                              {"code":10003,"message":"Invalid params","data":{}}
 *   answer_ask                                  a message to verify; trading's reply ends it
 *
 * Nothing leaves before it is durable: each end names the command sequence the answer depends on,
 * and the request waits until the journal has it. One that waits too long gets 504.
 */
#ifndef EIDOS_API_ANSWER_H
#define EIDOS_API_ANSWER_H

#include "procs/api/api.h"

/* Make the pool of `count` requests and what answering needs. 0 or -1. */
int requests_new(struct api *a, u64 count);
void requests_delete(struct api *a);

/* A request from the pool, or NULL when all are in use. */
struct request *request_take(struct api *a);

/* Give it back, with all it holds. */
void request_free(struct api *a, struct request *r);

/* Begin the data of a success; write one JSON value into the result. */
struct json_out *answer_begin(struct api *a, struct request *r);

/* End it; it may leave when command `seq` is durable (0 = at once). */
void answer_end(struct api *a, struct request *r, u64 seq);

/* A refusal; `seq` as above. `order` (may be NULL) is what became of the order. */
void answer_problem(struct api *a, struct request *r, const struct problem *p,
                    const struct order_view *order, u64 seq);

/* A refusal that only has a code. */
void answer_code(struct api *a, struct request *r, u16 code, u32 retry_after_ms);

/* 503: what would be read is being rebuilt or changed right now. */
void answer_busy(struct api *a, struct request *r, const char *what);

/* Text that is not in the envelope. */
void answer_plain(struct api *a, struct request *r, u16 status, const char *type, const char *text,
                  size_t len);

/* Send `m` to the verify process of `wallet` under a new request id; answers 503 itself when that
 * is behind. */
void answer_ask(struct api *a, struct request *r, struct msg *m, const u8 wallet[WALLET_BYTES]);

/* Read replies of trading, let go what has become durable, end what has waited too long. Returns
 * how many requests moved. */
u32 answer_turn(struct api *a);

#endif
