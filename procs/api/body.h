/* body.h: fields of a JSON body, read strictly, one by one; the first that is wrong is the problem.
 *
 * A field that is absent or null is missing: required readers refuse it (10003), optional ones
 * leave their default. Amounts, ids and nonces are strings, never numbers. Spans and texts borrow
 * from the JSON value and live as long as it does.
 */
#ifndef EIDOS_API_BODY_H
#define EIDOS_API_BODY_H

#include "procs/api/request.h"

/* text[0..len) as an object, or NULL with 10003. Free it with json_decref. */
json_t *body_read(const char *text, size_t len, struct problem *p);

/* The field, or NULL when it is absent or null. */
json_t *body_field(json_t *body, const char *name);

int body_text(json_t *body, const char *name, struct span *out, struct problem *p);

/* {wallet}; 10003 when missing, 10010 when it is no address. */
int body_wallet(json_t *body, u8 wallet[WALLET_BYTES], struct problem *p);

/* A required decimal whole number below 2^64 in a string: ids and nonces. */
int body_number(json_t *body, const char *name, u64 *out, struct problem *p);

/* An optional decimal string x 10^18; *present tells whether it was there. */
int body_decimal(json_t *body, const char *name, u128 *wad, bool *present, struct problem *p);

/* A required time in Unix milliseconds: a number, or a string of digits. */
int body_time(json_t *body, const char *name, u64 *out, struct problem *p);

/* The 65 bytes of {signature}: 10003 when it is no string, 10001 when it is not 0x and 130 hex
 * digits; *present is false when it is missing. */
int body_signature(json_t *body, u8 signature[SIGNATURE_BYTES], bool *present, struct problem *p);

/* An id from text: a path segment, a query parameter or a JSON string; `field` names it. */
int id_read(struct span text, const char *field, u64 *id, struct problem *p);

/* An order id from text: a path segment or a JSON string. */
int order_id_read(struct span text, u64 *id, struct problem *p);

#endif
