/* Decodes text encodings by rows, `rows` texts of one length at once, and compares rows with what they must be.
 *
 * No function allocates, keeps state or fails: memory belongs to the caller, and calls may run concurrently. A row that
 * is not the strict encoding of some bytes is marked, and its decoded bytes have no meaning; every row gets the answer
 * that it would get alone.
 */
#ifndef ONECODE_COLUMNS_H
#define ONECODE_COLUMNS_H

#include <stddef.h>
#include <stdint.h>

/* Decodes base45 (RFC 9285).
 *
 * text         row i begins at text + i * text_stride and has `characters` of them, which is no multiple of three and one
 * data         row i begins at data + i * data_stride: 2 * (characters / 3) bytes, and one more where two characters are
 *              left over. data_stride is at least that; bytes between rows are not touched
 * is_good[i]   becomes 1 where row i is base45, else 0 */
void onecode_base45_rows(size_t rows, size_t characters, const uint8_t *text, size_t text_stride, uint8_t *data,
                         size_t data_stride, uint8_t is_good[]);

/* Decodes base64url without padding (RFC 4648, section 5).
 *
 * text         row i begins at text + i * text_stride and has `characters` of them, which is no multiple of four and one
 * data         row i begins at data + i * data_stride: 3 * (characters / 4) bytes, and one or two more where two or three
 *              characters are left over. data_stride is at least that; bytes between rows are not touched
 * is_good[i]   becomes 1 where row i is base64url, its unused bits zero, else 0 */
void onecode_base64url_rows(size_t rows, size_t characters, const uint8_t *text, size_t text_stride, uint8_t *data,
                            size_t data_stride, uint8_t is_good[]);

/* Decodes one base45 text of `characters`, into as many bytes as a row of onecode_base45_rows(). Returns 1 where it is
 * base45, else 0. */
int onecode_base45(size_t characters, const uint8_t *text, uint8_t *data);

/* Decodes one base45 text as onecode_base45() does, and returns 1 where it is base45 and onecode_fits() says 1 of all its
 * bytes, else 0. `must` and `fixed` are as long as `data`. */
int onecode_base45_fits(size_t characters, const uint8_t *text, uint8_t *data, const uint8_t *must,
                        const uint8_t *fixed);

/* Tells whether the bits of `must` in `size` bytes are those of `fixed`, which has no others: 1 or 0. */
int onecode_fits(size_t size, const uint8_t *data, const uint8_t *must, const uint8_t *fixed);

/* Does so with rows of `size` bytes.
 *
 * data         row i begins at data + i * data_stride
 * fits[i]      becomes 1 where they are in row i, else 0 */
void onecode_rows_fit(size_t rows, size_t size, const uint8_t *data, size_t data_stride, const uint8_t *must,
                      const uint8_t *fixed, uint8_t fits[]);

#endif
