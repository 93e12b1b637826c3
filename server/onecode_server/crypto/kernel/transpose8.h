/* Eight rows of eight words become eight columns: 24 shuffles, which contiguous loads and these cost less than gathers. */
#ifndef ONECODE_TRANSPOSE8_H
#define ONECODE_TRANSPOSE8_H

#include <immintrin.h>

static inline void transpose8(__m512i row[8])
{
    __m512i pair[8], quad[8];
    for (int i = 0; i < 8; i += 2) {
        pair[i] = _mm512_unpacklo_epi64(row[i], row[i + 1]);     /* columns 0, 2, 4, 6 of two rows */
        pair[i + 1] = _mm512_unpackhi_epi64(row[i], row[i + 1]); /* columns 1, 3, 5, 7 */
    }
    for (int odd = 0; odd < 2; odd++) {
        for (int i = 0; i < 8; i += 4) {
            quad[i] = _mm512_shuffle_i64x2(pair[i + odd], pair[i + 2 + odd], 0x88);     /* columns 0 and 4 of four rows */
            quad[i + 1] = _mm512_shuffle_i64x2(pair[i + odd], pair[i + 2 + odd], 0xdd); /* columns 2 and 6 */
        }
        row[odd] = _mm512_shuffle_i64x2(quad[0], quad[4], 0x88);
        row[odd + 4] = _mm512_shuffle_i64x2(quad[0], quad[4], 0xdd);
        row[odd + 2] = _mm512_shuffle_i64x2(quad[1], quad[5], 0x88);
        row[odd + 6] = _mm512_shuffle_i64x2(quad[1], quad[5], 0xdd);
    }
}

#endif
