/* config_keys.h: every option there is; included by config.c as the rows of its table. Meaning and
 * default stand in conf/eidos.ini. The row's macro must agree with the field's type.
 */
// clang-format off

/*       section   key                        field                      least     most, or words */
WORDS   (exchange, env,                       env,                       "dev|test|prod")
COUNT   (exchange, chain_id,                  chain_id,                  1,        INT64_MAX)
ADDRESS (exchange, verifying_contract,        verifying_contract)

IP      (api,      listen,                    listen)
COUNT   (api,      port,                      port,                      0,        65535)
FILENAME(api,      tls_certificate,           tls_certificate)
FILENAME(api,      tls_key,                   tls_key)
LIST    (api,      allowed_origins,           allowed_origins)
COUNT   (api,      workers,                   workers,                   1,        32)
COUNT   (api,      connections_max,           connections_max,           16,       1000000)
COUNT   (api,      connections_per_address,   connections_per_address,   0,        1000000)
SPAN    (api,      read_timeout,              read_timeout_ns,           100 * MS, 600 * SECOND)
SPAN    (api,      idle_timeout,              idle_timeout_ns,           100 * MS, 24 * HOUR)
SPAN    (api,      request_timeout,           request_timeout_ns,        10 * MS,  60 * SECOND)
BYTES   (api,      body_max,                  body_max,                  4 * KIB,  1 * MIB)

COUNT   (verify,   workers,                   workers,                   1,        64)

COUNT   (matching, workers,                   workers,                   1,        32)
COUNT   (matching, orders_max,                orders_max,                1024,     1U << 27)
ONOFF   (matching, standby,                   standby)

COUNT   (trading,  accounts_max,              accounts_max,              64,       1U << 27)
COUNT   (trading,  balances_max,              balances_max,              64,       1U << 28)
COUNT   (trading,  orders_max,                orders_max,                1024,     1U << 27)
COUNT   (trading,  transfers_max,             transfers_max,             64,       1U << 27)
ONOFF   (trading,  standby,                   standby)

COUNT   (klines,   markets_max,               markets_max,               1,        256)
COUNT   (klines,   keep_1m,                   keep_1m,                   1441,     1U << 20)
COUNT   (klines,   keep_5m,                   keep_5m,                   2,        1U << 20)
COUNT   (klines,   keep_15m,                  keep_15m,                  2,        1U << 20)
COUNT   (klines,   keep_30m,                  keep_30m,                  2,        1U << 20)
COUNT   (klines,   keep_1h,                   keep_1h,                   25,       1U << 20)
COUNT   (klines,   keep_4h,                   keep_4h,                   2,        1U << 20)
COUNT   (klines,   keep_1d,                   keep_1d,                   2,        1U << 20)
COUNT   (klines,   keep_1w,                   keep_1w,                   2,        1U << 20)
COUNT   (history,  rows,                      rows,                      1024,     1U << 28)
COUNT   (history,  rows_per_wallet,           rows_per_wallet,           100,      1000000)

COUNT   (limits,   open_orders_per_market,    open_orders_per_market,    1,        1000000)
COUNT   (limits,   resting_orders_per_market, resting_orders_per_market, 1,        1U << 27)
COUNT   (limits,   expiry_days_max,           expiry_days_max,           1,        3650)
ONOFF   (limits,   rates,                     rates)
COUNT   (limits,   orders_per_second,         orders_per_second,         1,        1000000)
COUNT   (limits,   cancels_per_second,        cancels_per_second,        1,        1000000)
COUNT   (limits,   queries_per_second,        queries_per_second,        1,        1000000)
COUNT   (limits,   requests_per_minute,       requests_per_minute,       1,        10000000)
COUNT   (limits,   requests_per_second_in_all, requests_per_second_in_all, 0,      10000000)
LIST    (limits,   exempt,                    exempt)
COUNT   (limits,   withdrawals_per_second,    withdrawals_per_second,    1,        1000000)
COUNT   (limits,   withdraw_single,           withdraw_single,           0,        1000000000000)
COUNT   (limits,   withdraw_daily,            withdraw_daily,            0,        1000000000000)
COUNT   (limits,   withdraw_per_hour,         withdraw_per_hour,         0,        1000000)
COUNT   (limits,   withdraw_per_day,          withdraw_per_day,          0,        1000000)

POW2    (log,      command_bytes,             command_bytes,             1 * MIB,  64 * GIB)
POW2    (log,      match_bytes,               match_bytes,               1 * MIB,  64 * GIB)
POW2    (log,      account_bytes,             account_bytes,             1 * MIB,  64 * GIB)

WORDS   (journal,  durability,                durability,                "memory|disk|kafka")
BYTES   (journal,  segment_bytes,             segment_bytes,             1 * MIB,  16 * GIB)
BYTES   (journal,  batch_bytes_max,           batch_bytes_max,           64 * KIB, 64 * MIB)
BYTES   (journal,  low_disk_bytes,            low_disk_bytes,            0,        1024 * GIB)
SPAN    (journal,  retain,                    retain_ns,                 0,        87600 * HOUR)

SPAN    (snapshot, interval,                  interval_ns,               100 * MS, 24 * HOUR)
COUNT   (snapshot, keep,                      keep,                      2,        1000)

IP      (ops,      listen,                    listen)
COUNT   (ops,      port,                      port,                      0,        65535)

WORDS   (shm,      hugepages,                 hugepages,                 "auto|on|off")
PATH    (shm,      huge_dir,                  huge_dir)
PATH    (shm,      shm_dir,                   shm_dir)

COUNT   (trace,    entries,                   entries,                   1024,     1U << 24)

WORDS   (logging,  format,                    format,                    "auto|text|json")
WORDS   (logging,  level,                     level,                     "debug|info|warn|error")
SPAN    (logging,  slow_request,              slow_request_ns,           0,        60 * SECOND)

COUNT   (run,      spin_us,                   spin_us,                   0,        1000000)
CORES   (run,      pin_cores,                 pin_cores)
LIST    (run,      users,                     users)
ONOFF   (run,      sandbox,                   sandbox)
