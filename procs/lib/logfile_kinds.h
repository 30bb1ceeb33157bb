/* logfile_kinds.h: every record kind this build knows, as data: which log it belongs to, how long
 * it is, and its fields by name. The reader checks records with it; `eidosctl journal dump` prints
 * them with it. A kind or version that is not here stops its reader.
 */
#ifndef EIDOS_PROCS_LIB_LOGFILE_KINDS_H
#define EIDOS_PROCS_LIB_LOGFILE_KINDS_H

#include "shm/record.h"

enum field_form {
    FIELD_NUMBER = 1, /* unsigned, 1 to 8 bytes */
    FIELD_ID,         /* an order, trade or request id: a string in JSON */
    FIELD_HEX,        /* bytes, printed as 0x... */
    FIELD_TEXT,       /* zero-padded text */
};

struct kind_field {
    const char *name;
    u16 offset, size;
    u8 form; /* enum field_form */
};

struct kind_info {
    const char *name; /* "ORDER" */
    u16 kind, version;
    u32 length;   /* of the fixed part */
    bool items;   /* cancel_item[count] and maybe an evidence follow */
    u16 state_at; /* where an account_state begins, which ends the record; 0 = there is none */
    const struct kind_field *fields; /* ends with a NULL name */
};

/* The row of a kind and version, or NULL. */
const struct kind_info *kind_find(u16 kind, u16 version);

/* Is a whole record (checksum right) one this build understands? NULL, or why not. `log` is the
 * index of the log it stands in. */
const char *kind_objection(const struct rec *rec, u32 log);

/* Print a record known to be sound as one line: "seq=7 kind=ORDER ...", or as a JSON object. */
void kind_print(const struct rec *rec, bool json, FILE *out);

#endif
