/* SHA-512 (FIPS 180-4, section 6.4) of R || A || M, the one hash of Ed25519. */
#ifndef ONECODE_SHA512_H
#define ONECODE_SHA512_H

#include <stddef.h>
#include <stdint.h>

#define SHA512_BLOCK_BYTES 128

extern const uint64_t SHA512_ROUND[80];
extern const uint64_t SHA512_START[8];

/* The number of blocks of R || A || M, a byte of padding and 16 bytes of its length in bits. The upper 8 of these stay
 * 0, since no memory holds 2^61 bytes. */
static inline size_t sha512_blocks(size_t message_bytes)
{
    return (64 + message_bytes + 17 + SHA512_BLOCK_BYTES - 1) / SHA512_BLOCK_BYTES;
}

/* Writes block `number` of the padded R || A || M. */
void sha512_block(uint8_t out[SHA512_BLOCK_BYTES], size_t number, const uint8_t r[32], const uint8_t a[32],
                  const uint8_t *message, size_t message_bytes);

/* The hash of R || A || M as a number of eight words, least significant first: its bytes are little-endian to Ed25519
 * and big-endian to SHA-512. */
void sha512_challenge(uint64_t wide[8], const uint8_t r[32], const uint8_t a[32], const uint8_t *message,
                      size_t message_bytes);

#endif
