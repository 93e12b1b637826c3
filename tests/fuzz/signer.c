#include "signer.h"

#include <string.h>

static const uint8_t NEUTRAL[32] = {1};
static const uint8_t ORDER_8[32] = {0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4,
                                    0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6,
                                    0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05};
static const uint8_t ORDER[32] = {0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7,
                                  0xa2, 0xde, 0xf9, 0xde, 0x14, 0,    0,    0,    0,    0,    0,
                                  0,    0,    0,    0,    0,    0,    0,    0,    0,    0x10};

static void scalar_from(const signer *s, uint8_t out[32], const void *seed, size_t bytes)
{
    uint8_t wide[64];
    s->sodium.sha512(wide, seed, bytes);
    s->sodium.reduce(out, wide);
}

/* out = a B + torsion T; a may be 0. */
static void encode(const signer *s, uint8_t out[32], const uint8_t a[32], int torsion)
{
    static const uint8_t zero[32];
    memcpy(out, NEUTRAL, 32);
    if (memcmp(a, zero, 32) != 0)
        s->sodium.base_times(out, a);
    for (int i = 0; i < torsion; i++)
        s->sodium.add_points(out, out, ORDER_8);
}

void make_key(const signer *s, signing_key *key, const void *seed, size_t seed_bytes, int torsion)
{
    memset(key->a, 0, 32);
    if (seed_bytes)
        scalar_from(s, key->a, seed, seed_bytes);
    key->torsion = torsion;
    encode(s, key->encoded, key->a, torsion);
}

void signer_begin(signer *s, const sodium *functions)
{
    s->sodium = *functions;
    for (int i = 0; i < NONCES; i++) {
        const uint8_t seed[2] = {'r', (uint8_t)i};
        memset(s->nonces[i].r, 0, 32);
        if (i)
            scalar_from(s, s->nonces[i].r, seed, sizeof seed);
        for (int torsion = 0; torsion < 8; torsion++)
            encode(s, s->nonces[i].encoded[torsion], s->nonces[i].r, torsion);
    }
    for (int i = 0; i < ODD_ENCODINGS; i++) { /* y = p - 1 to p + 18, without a sign and with it */
        memset(s->odd[i], 0xff, 32);
        s->odd[i][0] = (uint8_t)(0xec + i / 2);
        s->odd[i][31] = i % 2 ? 0xff : 0x7f;
    }
    memcpy(s->odd[0], NEUTRAL, 32); /* y = p - 1 without a sign is as it should be: y = 1 with one is not */
    s->odd[0][31] = 0x80;
}

void challenge(const signer *s, uint8_t k[32], const uint8_t r[32], const uint8_t a[32], const uint8_t *message,
               size_t message_bytes)
{
    uint8_t all[64 + MESSAGE_BYTES_MAX];
    memcpy(all, r, 32);
    memcpy(all + 32, a, 32);
    memcpy(all + 64, message, message_bytes);
    scalar_from(s, k, all, 64 + message_bytes);
}

void answer(const signer *s, uint8_t out[32], const uint8_t r[32], const uint8_t k[32], const uint8_t a[32])
{
    s->sodium.multiply(out, k, a);
    s->sodium.add(out, out, r);
}

void add_order(uint8_t out[32], unsigned times)
{
    unsigned carry = 0;
    for (int i = 0; i < 32; i++) {
        carry += out[i] + times * ORDER[i];
        out[i] = (uint8_t)carry;
        carry >>= 8;
    }
}

int is_key(const signer *s, const uint8_t encoded[32])
{
    uint8_t point[32];
    if (s->sodium.add_points(point, encoded, NEUTRAL) != 0 || memcmp(point, encoded, 32) != 0)
        return 0;
    for (int doubling = 0; doubling < 3; doubling++)
        if (s->sodium.add_points(point, point, point) != 0)
            return 0;
    return memcmp(point, NEUTRAL, 32) != 0;
}
