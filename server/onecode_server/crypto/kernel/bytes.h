/* Words as bytes. Compilers turn each function into one instruction. */
#ifndef ONECODE_BYTES_H
#define ONECODE_BYTES_H

#include <stdint.h>

static inline uint64_t load_le(const uint8_t in[8])
{
    uint64_t word = 0;
    for (int i = 7; i >= 0; i--)
        word = word << 8 | in[i];
    return word;
}

static inline uint64_t load_be(const uint8_t in[8])
{
    uint64_t word = 0;
    for (int i = 0; i < 8; i++)
        word = word << 8 | in[i];
    return word;
}

static inline void store_be(uint8_t out[8], uint64_t word)
{
    for (int i = 7; i >= 0; i--, word >>= 8)
        out[i] = (uint8_t)word;
}

#endif
