/* Tables of multiples, with which s*B and k*A need no doubling: for each window of a scalar's bits, all multiples that
 * the window can select.
 *
 * A scalar below L is written in windows of `bits` bits, with digits from -2^(bits-1) to 2^(bits-1) - 1 so that half of
 * the multiples suffice: the other half are their opposites. Adding 2^(bits-1) to every window first makes each digit a
 * plain group of bits, with no carry from one to the next. The last window takes the bits from `top_bit` up as they
 * are: at most 2^(252 - top_bit), since L is hardly more than 2^252. */
#ifndef ONECODE_TABLE_H
#define ONECODE_TABLE_H

#include "onecode_kernel.h"
#include "point.h"
#include "scalar.h"

/* 36 windows: seven bits each keep a key's table within 300 KiB. */
#define KEY_BITS 7
#define KEY_WINDOWS 35
/* 21 windows: twelve bits make the base table, of which a process has one, 5.5 MiB; ten bits would be 5 % slower. */
#define BASE_BITS 12
#define BASE_WINDOWS 20

#define TOP_BIT(bits, windows) ((bits) * (windows))
#define MULTIPLES(bits, windows) (((windows) << ((bits) - 1)) + (1 << (252 - TOP_BIT(bits, windows))))

typedef struct {
    uint8_t public_key[32];
    uint8_t unused[96];
    multiple neutral;
    multiple multiples[MULTIPLES(KEY_BITS, KEY_WINDOWS)];
} key_table;

typedef struct {
    uint8_t unused[128];
    multiple neutral;
    multiple multiples[MULTIPLES(BASE_BITS, BASE_WINDOWS)];
} base_table;

/* The sum of 2^(bits-1) in every window but the last, to be added to a scalar before its digits are read. */
extern const scalar KEY_BIAS, BASE_BIAS;

/* The digit of window `i` of a biased scalar: bits i * bits and up. */
static inline int table_digit(const scalar *biased, int bits, int i)
{
    const int at = i * bits, shift = at & 63;
    uint64_t group = biased->word[at >> 6] >> shift;
    if (shift + bits > 64)
        group |= biased->word[(at >> 6) + 1] << (64 - shift);
    return (int)(group & ((UINT64_C(1) << bits) - 1)) - (1 << (bits - 1));
}

/* The last digit of a biased scalar: all from `top_bit` up, never negative. */
static inline int table_top_digit(const scalar *biased, int top_bit)
{
    return (int)(biased->word[3] >> (top_bit - 192));
}

#endif
