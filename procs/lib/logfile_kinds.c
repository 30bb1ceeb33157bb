#include "procs/lib/logfile_kinds.h"

#include "shm/topo.h"

#include <string.h>

#define AT(type, member) \
    (u16) offsetof(struct type, member), (u16)sizeof(((struct type *)0)->member)
#define NUM(type, member) \
    { \
#member, AT(type, member), FIELD_NUMBER \
    }
#define ID(type, member) \
    { \
#member, AT(type, member), FIELD_ID \
    }
#define HEX(type, member) \
    { \
#member, AT(type, member), FIELD_HEX \
    }
#define TEXT(type, member) \
    { \
#member, AT(type, member), FIELD_TEXT \
    }
#define LAST \
    { \
        NULL, 0, 0, 0 \
    }
#define ORIGIN(type) \
    {"source", AT(type, origin.source), FIELD_NUMBER}, \
        {"position", AT(type, origin.position), FIELD_NUMBER}, \
    { \
        "request", AT(type, origin.request), FIELD_ID \
    }

static const struct kind_field start_fields[] = {NUM(cmd_start, epoch), NUM(cmd_start, journaled),
                                                 TEXT(cmd_start, build), LAST};
static const struct kind_field start_2_fields[] = {
    {"epoch", AT(cmd_start_2, was.epoch), FIELD_NUMBER},
    {"journaled", AT(cmd_start_2, was.journaled), FIELD_NUMBER},
    NUM(cmd_start_2, resting_max),
    {"build", AT(cmd_start_2, was.build), FIELD_TEXT},
    LAST};
static const struct kind_field token_fields[] = {NUM(cmd_token, token), NUM(cmd_token, decimals),
                                                 NUM(cmd_token, version), TEXT(cmd_token, symbol),
                                                 LAST};
static const struct kind_field market_fields[] = {NUM(cmd_market, market),
                                                  TEXT(cmd_market, symbol),
                                                  NUM(cmd_market, base),
                                                  NUM(cmd_market, quote),
                                                  NUM(cmd_market, matching),
                                                  NUM(cmd_market, maker_rate),
                                                  NUM(cmd_market, taker_rate),
                                                  NUM(cmd_market, tick_wad),
                                                  NUM(cmd_market, lot_wad),
                                                  NUM(cmd_market, lot_units),
                                                  NUM(cmd_market, tick_lot),
                                                  NUM(cmd_market, price_max),
                                                  NUM(cmd_market, lots_min),
                                                  NUM(cmd_market, lots_max),
                                                  NUM(cmd_market, notional_min),
                                                  NUM(cmd_market, notional_max),
                                                  NUM(cmd_market, version),
                                                  NUM(cmd_market, mode),
                                                  NUM(cmd_market, price_decimals),
                                                  NUM(cmd_market, amount_decimals),
                                                  LAST};
static const struct kind_field limits_fields[] = {
    NUM(cmd_limits, open_orders), NUM(cmd_limits, resting_orders), NUM(cmd_limits, expiry_max_ns),
    NUM(cmd_limits, version), LAST};
static const struct kind_field deposit_fields[] = {ORIGIN(cmd_deposit), NUM(cmd_deposit, amount),
                                                   NUM(cmd_deposit, token),
                                                   HEX(cmd_deposit, wallet), LAST};
#define WAS(name, form) \
    { \
#name, AT(cmd_deposit_2, was.name), form \
    }
static const struct kind_field deposit_2_fields[] = {
    {"request", AT(cmd_deposit_2, was.origin.request), FIELD_ID},
    {"source", AT(cmd_deposit_2, was.origin.source), FIELD_NUMBER},
    {"position", AT(cmd_deposit_2, was.origin.position), FIELD_NUMBER},
    ID(cmd_deposit_2, transfer_id),
    WAS(amount, FIELD_NUMBER),
    WAS(token, FIELD_NUMBER),
    WAS(wallet, FIELD_HEX),
    NUM(cmd_deposit_2, has_tx),
    HEX(cmd_deposit_2, tx_hash),
    NUM(cmd_deposit_2, log_index),
    NUM(cmd_deposit_2, block),
    LAST};
static const struct kind_field withdraw_fields[] = {
    ORIGIN(cmd_withdraw),
    ID(cmd_withdraw, transfer_id),
    NUM(cmd_withdraw, nonce),
    NUM(cmd_withdraw, amount),
    NUM(cmd_withdraw, account),
    NUM(cmd_withdraw, token),
    NUM(cmd_withdraw, code),
    HEX(cmd_withdraw, wallet),
    TEXT(cmd_withdraw, to_address),
    {"digest", AT(cmd_withdraw, evidence.digest), FIELD_HEX},
    {"signature", AT(cmd_withdraw, evidence.signature), FIELD_HEX},
    LAST};
static const struct kind_field withdraw_step_fields[] = {
    ORIGIN(cmd_withdraw_step),
    ID(cmd_withdraw_step, transfer_id),
    NUM(cmd_withdraw_step, status),
    NUM(cmd_withdraw_step, by),
    NUM(cmd_withdraw_step, has_tx),
    HEX(cmd_withdraw_step, tx_hash),
    {"digest", AT(cmd_withdraw_step, evidence.digest), FIELD_HEX},
    {"signature", AT(cmd_withdraw_step, evidence.signature), FIELD_HEX},
    LAST};
static const struct kind_field withdraw_limits_fields[] = {NUM(cmd_withdraw_limits, token),
                                                           NUM(cmd_withdraw_limits, single),
                                                           NUM(cmd_withdraw_limits, daily),
                                                           NUM(cmd_withdraw_limits, per_hour),
                                                           NUM(cmd_withdraw_limits, per_day),
                                                           NUM(cmd_withdraw_limits, version),
                                                           LAST};
static const struct kind_field order_fields[] = {
    ORIGIN(cmd_order),
    ID(cmd_order, order_id),
    NUM(cmd_order, nonce),
    NUM(cmd_order, price),
    NUM(cmd_order, lots),
    NUM(cmd_order, quote_amount),
    NUM(cmd_order, hold),
    NUM(cmd_order, expire_ns),
    NUM(cmd_order, account),
    NUM(cmd_order, maker_rate),
    NUM(cmd_order, taker_rate),
    NUM(cmd_order, market),
    NUM(cmd_order, code),
    NUM(cmd_order, slippage_bps),
    NUM(cmd_order, side),
    NUM(cmd_order, type),
    NUM(cmd_order, tif),
    NUM(cmd_order, stp),
    NUM(cmd_order, signature_type),
    HEX(cmd_order, wallet),
    TEXT(cmd_order, client_id),
    {"digest", AT(cmd_order, evidence.digest), FIELD_HEX},
    {"signature", AT(cmd_order, evidence.signature), FIELD_HEX},
    LAST};
static const struct kind_field cancel_fields[] = {
    ORIGIN(cmd_cancel),          NUM(cmd_cancel, nonce),
    NUM(cmd_cancel, account),    NUM(cmd_cancel, reason),
    NUM(cmd_cancel, uses_nonce), NUM(cmd_cancel, code),
    NUM(cmd_cancel, count),      LAST};
static const struct kind_field merge_fields[] = {NUM(cmd_merge, matching), NUM(cmd_merge, through),
                                                 LAST};
static const struct kind_field mode_fields[] = {ORIGIN(cmd_mode), NUM(cmd_mode, market),
                                                NUM(cmd_mode, mode), NUM(cmd_mode, reason), LAST};
static const struct kind_field match_order_fields[] = {
    ID(match_order, order_id),     NUM(match_order, price),
    NUM(match_order, lots),        NUM(match_order, account),
    NUM(match_order, market),      NUM(match_order, code),
    NUM(match_order, side),        NUM(match_order, reason),
    NUM(match_order, was_resting), LAST};
static const struct kind_field match_trade_fields[] = {ID(match_trade, maker_id),
                                                       ID(match_trade, taker_id),
                                                       NUM(match_trade, price),
                                                       NUM(match_trade, lots),
                                                       NUM(match_trade, maker_left),
                                                       NUM(match_trade, taker_left),
                                                       NUM(match_trade, maker_account),
                                                       NUM(match_trade, taker_account),
                                                       NUM(match_trade, market),
                                                       NUM(match_trade, taker_side),
                                                       LAST};
static const struct kind_field match_best_fields[] = {NUM(match_best, market), NUM(match_best, bid),
                                                      NUM(match_best, ask), LAST};
#define STATE(type, name, form) \
    { \
#name, AT(type, now.order.name), form \
    }
#define BALANCE(type, member) \
    { \
#member, AT(type, now.member), FIELD_NUMBER \
    }
/* What every account_state says. */
#define STATE_FIELDS(t) \
    STATE(t, order_id, FIELD_ID), STATE(t, nonce, FIELD_NUMBER), STATE(t, price, FIELD_NUMBER), \
        STATE(t, lots, FIELD_NUMBER), STATE(t, filled_lots, FIELD_NUMBER), \
        STATE(t, filled_quote, FIELD_NUMBER), STATE(t, quote_amount, FIELD_NUMBER), \
        STATE(t, fee, FIELD_NUMBER), STATE(t, expire_ns, FIELD_NUMBER), \
        STATE(t, created_ns, FIELD_NUMBER), STATE(t, updated_ns, FIELD_NUMBER), \
        STATE(t, account, FIELD_NUMBER), STATE(t, market, FIELD_NUMBER), \
        STATE(t, code, FIELD_NUMBER), STATE(t, side, FIELD_NUMBER), STATE(t, type, FIELD_NUMBER), \
        STATE(t, tif, FIELD_NUMBER), STATE(t, stp, FIELD_NUMBER), STATE(t, status, FIELD_NUMBER), \
        STATE(t, reason, FIELD_NUMBER), STATE(t, signature_type, FIELD_NUMBER), \
        STATE(t, wallet, FIELD_HEX), STATE(t, client_id, FIELD_TEXT), BALANCE(t, base.available), \
        BALANCE(t, base.frozen), BALANCE(t, quote.available), BALANCE(t, quote.frozen)
static const struct kind_field account_order_fields[] = {NUM(account_order, event),
                                                         STATE_FIELDS(account_order), LAST};
static const struct kind_field account_balance_fields[] = {NUM(account_balance, account),
                                                           NUM(account_balance, token),
                                                           NUM(account_balance, reason),
                                                           ID(account_balance, ref_id),
                                                           NUM(account_balance, settled_available),
                                                           NUM(account_balance, settled_frozen),
                                                           NUM(account_balance, pending_available),
                                                           NUM(account_balance, pending_frozen),
                                                           HEX(account_balance, wallet),
                                                           LAST};
#define NOW(name, form) \
    { \
#name, AT(account_balance_2, now.name), form \
    }
static const struct kind_field account_balance_2_fields[] = {NOW(account, FIELD_NUMBER),
                                                             NOW(token, FIELD_NUMBER),
                                                             NOW(reason, FIELD_NUMBER),
                                                             NOW(ref_id, FIELD_ID),
                                                             NUM(account_balance_2, amount),
                                                             NUM(account_balance_2, left),
                                                             NOW(settled_available, FIELD_NUMBER),
                                                             NOW(settled_frozen, FIELD_NUMBER),
                                                             NOW(pending_available, FIELD_NUMBER),
                                                             NOW(pending_frozen, FIELD_NUMBER),
                                                             NOW(wallet, FIELD_HEX),
                                                             LAST};
static const struct kind_field account_trade_fields[] = {
    ID(account_trade, trade_id),
    ID(account_trade, other_id),
    {"trade_price", AT(account_trade, price), FIELD_NUMBER},
    {"trade_lots", AT(account_trade, lots), FIELD_NUMBER},
    {"trade_quote", AT(account_trade, quote), FIELD_NUMBER},
    {"trade_fee", AT(account_trade, fee), FIELD_NUMBER},
    NUM(account_trade, takes),
    STATE_FIELDS(account_trade),
    LAST};

#define KIND(name, kind, type, fields) \
    { \
        name, kind, RECORD_VERSION, sizeof(struct type), false, 0, fields \
    }
#define LIST(name, kind, type, fields) \
    { \
        name, kind, RECORD_VERSION, sizeof(struct type), true, 0, fields \
    }

#define WITH_STATE(name, kind, type, fields) \
    { \
        name, kind, RECORD_VERSION, offsetof(struct type, now.order.client_id), false, \
            offsetof(struct type, now), fields \
    }

static const struct kind_info kinds[] = {
    KIND("START", CMD_START, cmd_start, start_fields),
    {"START", CMD_START, 2, sizeof(struct cmd_start_2), false, 0, start_2_fields},
    KIND("TOKEN", CMD_TOKEN, cmd_token, token_fields),
    KIND("MARKET", CMD_MARKET, cmd_market, market_fields),
    KIND("LIMITS", CMD_LIMITS, cmd_limits, limits_fields),
    KIND("DEPOSIT", CMD_DEPOSIT, cmd_deposit, deposit_fields),
    {"DEPOSIT", CMD_DEPOSIT, 2, sizeof(struct cmd_deposit_2), false, 0, deposit_2_fields},
    KIND("WITHDRAW", CMD_WITHDRAW, cmd_withdraw, withdraw_fields),
    KIND("WITHDRAW_STEP", CMD_WITHDRAW_STEP, cmd_withdraw_step, withdraw_step_fields),
    KIND("WITHDRAW_LIMITS", CMD_WITHDRAW_LIMITS, cmd_withdraw_limits, withdraw_limits_fields),
    KIND("ORDER", CMD_ORDER, cmd_order, order_fields),
    LIST("CANCEL", CMD_CANCEL, cmd_cancel, cancel_fields),
    LIST("EXPIRE", CMD_EXPIRE, cmd_cancel, cancel_fields),
    KIND("MERGE", CMD_MERGE, cmd_merge, merge_fields),
    KIND("MODE", CMD_MODE, cmd_mode, mode_fields),
    KIND("OPENED", MATCH_OPENED, match_order, match_order_fields),
    KIND("TRADE", MATCH_TRADE, match_trade, match_trade_fields),
    KIND("CANCELED", MATCH_CANCELED, match_order, match_order_fields),
    KIND("REJECTED", MATCH_REJECTED, match_order, match_order_fields),
    KIND("MISSED", MATCH_MISSED, match_order, match_order_fields),
    KIND("BEST", MATCH_BEST, match_best, match_best_fields),
    KIND("FILLED", MATCH_FILLED, match_order, match_order_fields),
    WITH_STATE("ACCOUNT_ORDER", ACCOUNT_ORDER, account_order, account_order_fields),
    KIND("ACCOUNT_BALANCE", ACCOUNT_BALANCE, account_balance, account_balance_fields),
    {"ACCOUNT_BALANCE", ACCOUNT_BALANCE, 2, sizeof(struct account_balance_2), false, 0,
     account_balance_2_fields},
    WITH_STATE("ACCOUNT_TRADE", ACCOUNT_TRADE, account_trade, account_trade_fields),
};

const struct kind_info *kind_find(u16 kind, u16 version)
{
    for (size_t i = 0; i < COUNT_OF(kinds); i++)
        if (kinds[i].kind == kind && kinds[i].version == version) return &kinds[i];
    return NULL;
}

/* Which log a kind belongs to: 0 command, 1 account, 2 any match log. */
static u32 log_of(u16 kind)
{
    if (kind < MATCH_OPENED) return LOG_COMMAND;
    return kind < ACCOUNT_ORDER ? LOG_MATCH(0) : LOG_ACCOUNT;
}

static u64 items_bytes(const struct rec *rec)
{
    const struct cmd_cancel *c = (const struct cmd_cancel *)(const void *)rec;
    return sizeof *c + c->count * sizeof(struct cancel_item);
}

/* Is the record as long as the client id of its order says? */
static bool state_ends_it(const struct rec *rec, const struct kind_info *info)
{
    const u8 *state = (const u8 *)rec + info->state_at;
    u8 client_id = state[offsetof(struct account_state, order.client_id_length)];
    return client_id <= CLIENT_ID_BYTES &&
           rec->length == account_record_length(info->state_at, client_id);
}

const char *kind_objection(const struct rec *rec, u32 log)
{
    const struct kind_info *info = kind_find(rec->kind, rec->version);
    if (!info) return "a kind or version of record that this build does not know";
    if (log_of(rec->kind) != min_u64(log, LOG_MATCH(0))) return "a record of another log";
    if (rec->length < info->length) return "a record shorter than its kind";
    if (info->state_at)
        return state_ends_it(rec, info) ? NULL : "another length than its client id says";
    if (!info->items) return rec->length == info->length ? NULL : "a record longer than its kind";
    u64 bytes = items_bytes(rec);
    if (rec->length == bytes || rec->length == bytes + sizeof(struct evidence)) return NULL;
    return "a list of another length than its count";
}

static u64 number_at(const u8 *p, u32 size)
{
    u64 value = 0;
    memcpy(&value, p, size);
    return value;
}

static void print_text(const u8 *p, u32 size, bool json, FILE *out)
{
    if (json) fputc('"', out);
    for (u32 i = 0; i < size && p[i]; i++) {
        if (p[i] < 0x20 || p[i] > 0x7e || p[i] == '"' || p[i] == '\\')
            fprintf(out, "\\u%04x", p[i]);
        else fputc(p[i], out);
    }
    if (json) fputc('"', out);
}

static void print_value(const u8 *p, const struct kind_field *f, bool json, FILE *out)
{
    switch (f->form) {
    case FIELD_NUMBER: fprintf(out, "%lu", number_at(p, f->size)); return;
    case FIELD_ID: fprintf(out, json ? "\"%lu\"" : "%lu", number_at(p, f->size)); return;
    case FIELD_HEX:
        fputs(json ? "\"0x" : "0x", out);
        for (u32 i = 0; i < f->size; i++) fprintf(out, "%02x", p[i]);
        if (json) fputc('"', out);
        return;
    default: print_text(p, f->size, json, out); return;
    }
}

static void print_items(const struct rec *rec, bool json, FILE *out)
{
    const struct cmd_cancel *c = (const struct cmd_cancel *)(const void *)rec;
    const struct cancel_item *item = (const struct cancel_item *)(const void *)(c + 1);
    fputs(json ? ",\"items\":[" : " items=", out);
    for (u32 i = 0; i < c->count; i++)
        fprintf(out, json ? "%s{\"order_id\":\"%lu\",\"market\":%u,\"account\":%u}" : "%s%lu/%u/%u",
                i ? "," : "", item[i].order_id, item[i].market, item[i].account);
    if (json) fputc(']', out);
    if (rec->length == items_bytes(rec)) return;
    static const struct kind_field fields[] = {HEX(evidence, digest), HEX(evidence, signature)};
    const u8 *evidence = (const u8 *)rec + items_bytes(rec);
    for (u32 i = 0; i < COUNT_OF(fields); i++) {
        fprintf(out, json ? ",\"%s\":" : " %s=", fields[i].name);
        print_value(evidence + fields[i].offset, &fields[i], json, out);
    }
}

void kind_print(const struct rec *rec, bool json, FILE *out)
{
    const struct kind_info *info = kind_find(rec->kind, rec->version);
    CHECK(info);
    fprintf(out,
            json ? "{\"seq\":%lu,\"kind\":\"%s\",\"version\":%u,\"time_ns\":%lu,\"cause\":%lu,"
                   "\"length\":%u"
                 : "seq=%lu kind=%s version=%u time_ns=%lu cause=%lu length=%u",
            rec->seq, info->name, rec->version, rec->time_ns, rec->cause, rec->length);
    for (const struct kind_field *f = info->fields; f->name; f++) {
        struct kind_field there = *f; /* a client id may end the record early */
        if (there.offset + there.size > rec->length) there.size = (u16)(rec->length - there.offset);
        fprintf(out, json ? ",\"%s\":" : " %s=", f->name);
        print_value((const u8 *)rec + f->offset, &there, json, out);
    }
    if (info->items) print_items(rec, json, out);
    fputs(json ? "}\n" : "\n", out);
}
