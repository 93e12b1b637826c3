/* The Python types that read single rows: Base45Rows decodes a text and compares it, RowCutter cuts fields out of a row.
 * Each does by one call what takes Python a handful. They are written for Python's stable ABI, from 3.11 on; the other
 * sources beside this file know nothing of Python.
 *
 * An object never changes once it is made. It holds bytes and numbers alone, so that it is part of no cycle. */
#ifndef ONECODE_SINGLE_ROWS_H
#define ONECODE_SINGLE_ROWS_H

#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x030b0000
#include <Python.h>

extern PyType_Spec base45_rows_spec, row_cutter_spec;

#endif
