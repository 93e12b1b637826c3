/* Included first by every file that uses AVX-512: only those files are compiled for it. The others run on any
 * processor, and the implementation is chosen at run time. */
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512dq,avx512bw,avx512vl,avx512ifma"))), apply_to = function)
#else
#pragma GCC target("avx512f,avx512dq,avx512bw,avx512vl,avx512ifma")
#endif
