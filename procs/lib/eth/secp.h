/* secp.h: signatures of Ethereum accounts over libsecp256k1.
 *
 *   key (32) ──► public key X||Y (64) ──keccak, last 20──► address (20)
 *   digest (32) + key        ──secp_sign──────────► r(32) || s(32) || v(1)
 *   digest + signature       ──secp_recover───────► who signed: public key and address
 *   digest + signature + public key ──secp_verify_known──► did this key sign?
 *
 * All numbers are big-endian. v is 27 or 28 when made here; 0, 1, 27 and 28 are understood, other
 * values are refused. s above n/2 is refused (EIP-2, BIP-62): each signature has one twin with s
 * replaced by n - s, and only the lower is taken.
 *
 * secp_init is called once per process, before any other function here and before the sandbox
 * closes (it draws randomness from the kernel and allocates; nothing after it does). From then on
 * the context is only read: every function may be called from any thread.
 */
#ifndef EIDOS_PROCS_LIB_ETH_SECP_H
#define EIDOS_PROCS_LIB_ETH_SECP_H

#include "shm/base.h"

#define SECP_KEY       32U
#define SECP_DIGEST    32U
#define SECP_SIGNATURE 65U
#define SECP_PUBKEY    64U
#define SECP_ADDRESS   20U

enum secp_result {
    SECP_OK = 0,
    SECP_INVALID,  /* not a signature: v unknown, r or s zero or >= n, or no curve point for r */
    SECP_HIGH_S,   /* r and s are in range, but s > n/2 */
    SECP_MISMATCH, /* well formed, but not made by the given key over this digest */
};

struct secp_signer {
    u8 pubkey[SECP_PUBKEY]; /* X || Y */
    u8 address[SECP_ADDRESS];
};

/* Make the process's context and blind it against side channels. A second call changes nothing.
 * 0, or -1 with the error text when the kernel gives no memory or no randomness. */
int secp_init(void);

/* The signer a private key stands for. -1 with the error text when key is 0 or >= n. */
int secp_signer_of_key(const u8 key[SECP_KEY], struct secp_signer *signer);

/* Sign a digest: deterministic nonce (RFC 6979), low s, v in {27, 28}.
 * -1 with the error text when key is 0 or >= n. */
int secp_sign(const u8 key[SECP_KEY], const u8 digest[SECP_DIGEST], u8 sig[SECP_SIGNATURE]);

/* Who signed the digest. Any 65 bytes in range recover *some* signer: the caller must compare the
 * address with the one that is claimed. Never SECP_MISMATCH; `signer` is written only on SECP_OK.
 */
enum secp_result secp_recover(const u8 digest[SECP_DIGEST], const u8 sig[SECP_SIGNATURE],
                              struct secp_signer *signer);

/* Whether `pubkey`, taken from an earlier secp_recover, signed the digest; cheaper than recovering.
 * It proves r and s. The form of v is checked, its parity is not: a flipped v passes here
 * and recovers another address. So evidence that a contract will check with ecrecover
 * (withdrawals) goes through secp_recover.
 * SECP_MISMATCH also when `pubkey` is no point of the curve. */
enum secp_result secp_verify_known(const u8 digest[SECP_DIGEST], const u8 sig[SECP_SIGNATURE],
                                   const u8 pubkey[SECP_PUBKEY]);

#endif
