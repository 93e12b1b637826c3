/* Makes the keys and signatures that the fuzzer twists, by libsodium's arithmetic alone. */
#ifndef FUZZ_SIGNER_H
#define FUZZ_SIGNER_H

#include <stddef.h>
#include <stdint.h>

#include "sodium.h"

#define MESSAGE_BYTES_MAX 4096
#define NONCES 16
#define ODD_ENCODINGS 40

/* A = a B + torsion T, where T is a point of order 8. */
typedef struct {
    uint8_t a[32];
    int torsion;
    uint8_t encoded[32];
} signing_key;

/* R = r B + torsion T, for every torsion from 0 to 7. Nonce 0 has r = 0: its points are those of small order. */
typedef struct {
    uint8_t r[32];
    uint8_t encoded[8][32];
} nonce;

typedef struct {
    sodium sodium;
    nonce nonces[NONCES];
    uint8_t odd[ODD_ENCODINGS][32]; /* all that are not canonical */
} signer;

void signer_begin(signer *s, const sodium *functions);

/* Makes the key a B + torsion T of a scalar that is `seed`, hashed; 0 for no seed: the key is torsion T alone. */
void make_key(const signer *s, signing_key *key, const void *seed, size_t seed_bytes, int torsion);

/* k = SHA-512(R || A || M) mod L. */
void challenge(const signer *s, uint8_t k[32], const uint8_t r[32], const uint8_t a[32], const uint8_t *message,
               size_t message_bytes);

/* S = r + k a mod L. */
void answer(const signer *s, uint8_t out[32], const uint8_t r[32], const uint8_t k[32], const uint8_t a[32]);

/* out += times * L, modulo 2^256. */
void add_order(uint8_t out[32], unsigned times);

/* Tells whether a signature under A could ever hold, by libsodium's reading of the point: canonical, on the curve, and
 * not of small order. */
int is_key(const signer *s, const uint8_t encoded[32]);

#endif
