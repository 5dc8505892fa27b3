"""Philox 4x32 with 10 rounds (Salmon, Moraes, Dror, Shaw 2011), in whole numbers."""

from __future__ import annotations

_MASK = 0xFFFFFFFF


def philox(counter, key):
    """Four 32-bit words from a counter of four and a key of two."""
    c, k = list(counter), list(key)
    for round_ in range(10):
        if round_:
            k = [(k[0] + 0x9E3779B9) & _MASK, (k[1] + 0xBB67AE85) & _MASK]
        product0, product1 = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [
            (product1 >> 32) ^ c[1] ^ k[0],
            product1 & _MASK,
            (product0 >> 32) ^ c[3] ^ k[1],
            product0 & _MASK,
        ]
    return c
