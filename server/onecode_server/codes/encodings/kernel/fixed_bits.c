/* Compares rows with the bits that they must have. */
#include "onecode_columns.h"

int onecode_fits(size_t size, const uint8_t *data, const uint8_t *must, const uint8_t *fixed) {
    uint8_t differs = 0;
    for (size_t i = 0; i < size; i++) {
        differs |= (data[i] & must[i]) ^ fixed[i];
    }
    return differs == 0;
}

void onecode_rows_fit(size_t rows, size_t size, const uint8_t *data, size_t data_stride, const uint8_t *must,
                      const uint8_t *fixed, uint8_t fits[]) {
    for (size_t row = 0; row < rows; row++) {
        fits[row] = (uint8_t)onecode_fits(size, data + row * data_stride, must, fixed);
    }
}
