/* SHA-512 of eight messages at a time (AVX-512): see sha512.h. */
#ifndef ONECODE_SHA512X8_H
#define ONECODE_SHA512X8_H

#include <stddef.h>
#include <stdint.h>

/* The hashes of R || A || M of eight items, each as eight words, least significant first: wide[lane][word]. Messages may
 * be of different length; the longest sets the time. */
void sha512x8_challenge(uint64_t wide[8][8], const uint8_t *const r[8], const uint8_t *const a[8],
                        const uint8_t *const message[8], const size_t message_bytes[8]);

#endif
