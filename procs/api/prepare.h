/* prepare.h: the typed data of an order, exactly what verify will hash: a wallet that signs it and
 * sends the fields back with signature_type v2 has signed that order and no other.
 */
#ifndef EIDOS_API_PREPARE_H
#define EIDOS_API_PREPARE_H

#include "procs/api/request.h"
#include "shm/rules.h"

#define PREPARED_FOR_MS 300000UL /* how long typed data should be signed and sent */

/* {"typed_data":{types,primaryType,domain,message},"nonce":"..","expires_at":ms} */
void prepare_put(struct json_out *o, const struct rules *r, u64 chain_id, const u8 contract[20],
                 const struct msg_order *m, u64 now_ms);

#endif
