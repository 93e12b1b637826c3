/* Base64url without padding (RFC 4648, section 5): four characters are three bytes; three are two, and two are one, with
 * unused bits that are zero. */
#include "onecode_columns.h"

#define OUTSIDE 0xff
#define X OUTSIDE
/* The alphabet, A-Z a-z 0-9 - _ in this order, by the character. */
static const uint8_t VALUES[256] = {
    X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,
    X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  62, X,  X,  52, 53, 54, 55,
    56, 57, 58, 59, 60, 61, X,  X,  X,  X,  X,  X,  X,  0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12,
    13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, X,  X,  X,  X,  63, X,  26, 27, 28, 29, 30, 31, 32,
    33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, X,  X,  X,  X,  X,  X,  X,
    X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,
    X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,
    X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,
    X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,
    X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,
};
#undef X

void onecode_base64url_rows(size_t rows, size_t characters, const uint8_t *text, size_t text_stride, uint8_t *data,
                            size_t data_stride, uint8_t is_good[]) {
    size_t whole = characters / 4, left = characters % 4;
    for (size_t row = 0; row < rows; row++) {
        const uint8_t *from = text + row * text_stride;
        uint8_t *to = data + row * data_stride;
        uint32_t outside = 0, unused = 0; /* values are below 64 or OUTSIDE, whose high bit no other has */
        for (size_t group = 0; group < whole; group++, from += 4, to += 3) {
            uint32_t a = VALUES[from[0]], b = VALUES[from[1]], c = VALUES[from[2]], d = VALUES[from[3]];
            outside |= a | b | c | d;
            to[0] = (uint8_t)(a << 2 | b >> 4);
            to[1] = (uint8_t)(b << 4 | c >> 2);
            to[2] = (uint8_t)(c << 6 | d);
        }
        if (left) { /* two or three */
            uint32_t a = VALUES[from[0]], b = VALUES[from[1]], c = left == 3 ? VALUES[from[2]] : 0;
            outside |= a | b | c;
            to[0] = (uint8_t)(a << 2 | b >> 4);
            if (left == 3) {
                to[1] = (uint8_t)(b << 4 | c >> 2);
            }
            unused = left == 3 ? c & 3 : b & 15;
        }
        is_good[row] = (outside & 0x80) == 0 && unused == 0;
    }
}
