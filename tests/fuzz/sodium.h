/* What the fuzzer asks of PyNaCl's libsodium: the functions come as addresses, since the library is Python's own. */
#ifndef FUZZ_SODIUM_H
#define FUZZ_SODIUM_H

/* In the order of FUNCTIONS in driver.py. */
typedef struct {
    int (*verify)(const unsigned char *signature, const unsigned char *message, unsigned long long bytes,
                  const unsigned char *public_key);
    int (*base_times)(unsigned char *out, const unsigned char *scalar);
    int (*add_points)(unsigned char *out, const unsigned char *p, const unsigned char *q);
    void (*multiply)(unsigned char *out, const unsigned char *a, const unsigned char *b);
    void (*add)(unsigned char *out, const unsigned char *a, const unsigned char *b);
    void (*reduce)(unsigned char *out, const unsigned char *wide);
    int (*sha512)(unsigned char *out, const unsigned char *in, unsigned long long bytes);
} sodium;

#endif
