/* Base45 (RFC 9285): three characters are a number below 65,536, the least significant first; two are one below 256. */
#include "onecode_columns.h"

#define OUTSIDE 0xff
#define X OUTSIDE
/* The alphabet, 0-9 A-Z space $ % * + - . / : in this order, by the character. */
static const uint8_t VALUES[256] = {
    X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,
    X,  X,  X,  X,  X,  X,  36, X,  X,  X,  37, 38, X,  X,  X,  X,  39, 40, X,  41, 42, 43, 0,  1,  2,  3,
    4,  5,  6,  7,  8,  9,  44, X,  X,  X,  X,  X,  X,  10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22,
    23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,
    X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,
    X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,
    X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,
    X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,
    X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,
    X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,
};
#undef X

int onecode_base45(size_t characters, const uint8_t *text, uint8_t *data) {
    uint8_t is_good;
    onecode_base45_rows(1, characters, text, 0, data, 0, &is_good);
    return is_good;
}

int onecode_base45_fits(size_t characters, const uint8_t *text, uint8_t *data, const uint8_t *must,
                        const uint8_t *fixed) {
    size_t size = 2 * (characters / 3) + (characters % 3 == 2);
    return onecode_base45(characters, text, data) && onecode_fits(size, data, must, fixed);
}

void onecode_base45_rows(size_t rows, size_t characters, const uint8_t *text, size_t text_stride, uint8_t *data,
                         size_t data_stride, uint8_t is_good[]) {
    size_t whole = characters / 3;
    for (size_t row = 0; row < rows; row++) {
        const uint8_t *from = text + row * text_stride;
        uint8_t *to = data + row * data_stride;
        uint32_t most = 0, outside = 0; /* values are below 45 or OUTSIDE, whose high bit no other has */
        for (size_t group = 0; group < whole; group++, from += 3, to += 2) {
            uint32_t a = VALUES[from[0]], b = VALUES[from[1]], c = VALUES[from[2]];
            uint32_t number = a + 45 * b + 2025 * c;
            outside |= a | b | c;
            most |= number; /* below 2^16 each, so long as none has a bit above */
            to[0] = (uint8_t)(number >> 8);
            to[1] = (uint8_t)number;
        }
        if (characters % 3 == 2) {
            uint32_t a = VALUES[from[0]], b = VALUES[from[1]];
            uint32_t number = a + 45 * b;
            outside |= a | b;
            most |= number > 255 ? 1u << 16 : 0;
            to[0] = (uint8_t)number;
        }
        is_good[row] = (outside & 0x80) == 0 && most >> 16 == 0;
    }
}
