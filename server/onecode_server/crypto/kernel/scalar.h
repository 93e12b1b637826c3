/* Integers modulo L = 2^252 + 27742317777372353535851937790883648493, the order of the base point (RFC 8032, 5.1). */
#ifndef ONECODE_SCALAR_H
#define ONECODE_SCALAR_H

#include <stdint.h>

/* A value below 2^256, least significant word first. */
typedef struct {
    uint64_t word[4];
} scalar;

/* The value of 32 bytes, little-endian. */
scalar scalar_load(const uint8_t in[32]);

/* Tells whether a value is below L: 1 or 0. */
int scalar_is_reduced(const scalar *a);

/* A value of 512 bits, least significant word first, modulo L. */
scalar scalar_reduce(const uint64_t wide[8]);

/* a + b, which must stay below 2^256. */
scalar scalar_add(const scalar *a, const scalar *b);

#endif
