"""Signs what the gateway wants signed, written from the protocol: EIP-712 Request, domain of dev."""

import time

import coincurve
from Crypto.Hash import keccak

DOMAIN_TYPE = b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
REQUEST_TYPE = b"Request(string method,string path,uint256 timestamp)"


def hashed(data):
    return keccak.new(digest_bits=256, data=data).digest()


def word(number):
    return number.to_bytes(32, "big")


DOMAIN = hashed(hashed(DOMAIN_TYPE) + hashed(b"EidosExchange") + hashed(b"1") + word(31337) + word(0))


class Signer:
    def __init__(self, secret=None):
        self.key = coincurve.PrivateKey(secret)
        self.wallet = "0x" + hashed(self.key.public_key.format(False)[1:])[-20:].hex()
        self.last_ms = 0

    def request(self, method, path):
        """(timestamp, signature) of a Request; each timestamp is used once."""
        self.last_ms = max(self.last_ms + 1, int(time.time() * 1000))
        struct = hashed(hashed(REQUEST_TYPE) + hashed(method.encode()) + hashed(path.encode())
                        + word(self.last_ms))
        signature = self.key.sign_recoverable(hashed(b"\x19\x01" + DOMAIN + struct), hasher=None)
        return self.last_ms, "0x" + (signature[:64] + bytes([27 + signature[64]])).hex()

    def header(self, method, path):
        timestamp, signature = self.request(method, path)
        return f"EIP712 {self.wallet}:{timestamp}:{signature}"
