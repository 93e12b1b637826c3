/* SHA-512, one message at a time. */
#include "sha512.h"

#include <string.h>

#include "bytes.h"

/* The first 64 fractional bits of the cube roots of the first 80 primes (FIPS 180-4, section 4.2.3) */
const uint64_t SHA512_ROUND[80] = {
    0x428a2f98d728ae22, 0x7137449123ef65cd, 0xb5c0fbcfec4d3b2f, 0xe9b5dba58189dbbc, 0x3956c25bf348b538,
    0x59f111f1b605d019, 0x923f82a4af194f9b, 0xab1c5ed5da6d8118, 0xd807aa98a3030242, 0x12835b0145706fbe,
    0x243185be4ee4b28c, 0x550c7dc3d5ffb4e2, 0x72be5d74f27b896f, 0x80deb1fe3b1696b1, 0x9bdc06a725c71235,
    0xc19bf174cf692694, 0xe49b69c19ef14ad2, 0xefbe4786384f25e3, 0x0fc19dc68b8cd5b5, 0x240ca1cc77ac9c65,
    0x2de92c6f592b0275, 0x4a7484aa6ea6e483, 0x5cb0a9dcbd41fbd4, 0x76f988da831153b5, 0x983e5152ee66dfab,
    0xa831c66d2db43210, 0xb00327c898fb213f, 0xbf597fc7beef0ee4, 0xc6e00bf33da88fc2, 0xd5a79147930aa725,
    0x06ca6351e003826f, 0x142929670a0e6e70, 0x27b70a8546d22ffc, 0x2e1b21385c26c926, 0x4d2c6dfc5ac42aed,
    0x53380d139d95b3df, 0x650a73548baf63de, 0x766a0abb3c77b2a8, 0x81c2c92e47edaee6, 0x92722c851482353b,
    0xa2bfe8a14cf10364, 0xa81a664bbc423001, 0xc24b8b70d0f89791, 0xc76c51a30654be30, 0xd192e819d6ef5218,
    0xd69906245565a910, 0xf40e35855771202a, 0x106aa07032bbd1b8, 0x19a4c116b8d2d0c8, 0x1e376c085141ab53,
    0x2748774cdf8eeb99, 0x34b0bcb5e19b48a8, 0x391c0cb3c5c95a63, 0x4ed8aa4ae3418acb, 0x5b9cca4f7763e373,
    0x682e6ff3d6b2b8a3, 0x748f82ee5defb2fc, 0x78a5636f43172f60, 0x84c87814a1f0ab72, 0x8cc702081a6439ec,
    0x90befffa23631e28, 0xa4506cebde82bde9, 0xbef9a3f7b2c67915, 0xc67178f2e372532b, 0xca273eceea26619c,
    0xd186b8c721c0c207, 0xeada7dd6cde0eb1e, 0xf57d4f7fee6ed178, 0x06f067aa72176fba, 0x0a637dc5a2c898a6,
    0x113f9804bef90dae, 0x1b710b35131c471b, 0x28db77f523047d84, 0x32caab7b40c72493, 0x3c9ebe0a15c9bebc,
    0x431d67c49c100d4c, 0x4cc5d4becb3e42b6, 0x597f299cfc657e2a, 0x5fcb6fab3ad6faec, 0x6c44198c4a475817,
};

/* The same of the square roots of the first 8 (section 5.3.5) */
const uint64_t SHA512_START[8] = {
    0x6a09e667f3bcc908, 0xbb67ae8584caa73b, 0x3c6ef372fe94f82b, 0xa54ff53a5f1d36f1, 0x510e527fade682d1,
    0x9b05688c2b3e6c1f, 0x1f83d9abfb41bd6b, 0x5be0cd19137e2179,
};

void sha512_block(uint8_t out[SHA512_BLOCK_BYTES], size_t number, const uint8_t r[32], const uint8_t a[32],
                  const uint8_t *message, size_t message_bytes)
{
    size_t filled = 0, from = number * SHA512_BLOCK_BYTES;
    if (number == 0) {
        memcpy(out, r, 32);
        memcpy(out + 32, a, 32);
        filled = 64;
    } else {
        from -= 64;
    }
    const size_t left = from < message_bytes ? message_bytes - from : 0;
    const size_t taken = left < SHA512_BLOCK_BYTES - filled ? left : SHA512_BLOCK_BYTES - filled;
    if (taken)
        memcpy(out + filled, message + from, taken);
    filled += taken;
    if (filled == SHA512_BLOCK_BYTES)
        return;
    memset(out + filled, 0, SHA512_BLOCK_BYTES - filled);
    if (from <= message_bytes) /* the message ends in this block, or right before it */
        out[filled] = 0x80;
    if (number + 1 == sha512_blocks(message_bytes))
        store_be(out + SHA512_BLOCK_BYTES - 8, 8 * (64 + (uint64_t)message_bytes));
}

static inline uint64_t ror(uint64_t x, int n)
{
    return x >> n | x << (64 - n);
}

static void compress(uint64_t state[8], const uint8_t block[SHA512_BLOCK_BYTES])
{
    uint64_t w[16], a = state[0], b = state[1], c = state[2], d = state[3];
    uint64_t e = state[4], f = state[5], g = state[6], h = state[7];
    for (int round = 0; round < 80; round += 16) {
#pragma GCC unroll 16 /* so that words and roles stay in registers: two thirds of the time */
        for (int t = 0; t < 16; t++) {
            if (round == 0) {
                w[t] = load_be(block + 8 * t);
            } else {
                const uint64_t w2 = w[(t + 14) & 15], w15 = w[(t + 1) & 15];
                w[t] += (ror(w2, 19) ^ ror(w2, 61) ^ w2 >> 6) + w[(t + 9) & 15] + (ror(w15, 1) ^ ror(w15, 8) ^ w15 >> 7);
            }
            const uint64_t choice = (e & f) ^ (~e & g), majority = (a & b) ^ (a & c) ^ (b & c);
            const uint64_t t1 = h + (ror(e, 14) ^ ror(e, 18) ^ ror(e, 41)) + choice + SHA512_ROUND[round + t] + w[t];
            const uint64_t t2 = (ror(a, 28) ^ ror(a, 34) ^ ror(a, 39)) + majority;
            h = g, g = f, f = e, e = d + t1, d = c, c = b, b = a, a = t1 + t2;
        }
    }
    state[0] += a, state[1] += b, state[2] += c, state[3] += d;
    state[4] += e, state[5] += f, state[6] += g, state[7] += h;
}

void sha512_challenge(uint64_t wide[8], const uint8_t r[32], const uint8_t a[32], const uint8_t *message,
                      size_t message_bytes)
{
    uint64_t state[8];
    uint8_t block[SHA512_BLOCK_BYTES];
    memcpy(state, SHA512_START, sizeof state);
    const size_t blocks = sha512_blocks(message_bytes);
    for (size_t number = 0; number < blocks; number++) {
        sha512_block(block, number, r, a, message, message_bytes);
        compress(state, block);
    }
    for (int i = 0; i < 8; i++)
        wide[i] = __builtin_bswap64(state[i]);
}
