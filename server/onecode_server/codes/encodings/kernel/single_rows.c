/* Reads single rows for Python: Base45Rows decodes a text and compares it, RowCutter cuts fields out of a row. Each does
 * by one call what takes Python a handful. Written for Python's stable ABI, from 3.11 on; the other sources beside this
 * file know nothing of Python.
 *
 * An object never changes once it is made. It holds bytes and numbers alone, so that it is part of no cycle. */
#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x030b0000
#include <Python.h>
#include <string.h>

#include "onecode_columns.h"

enum { TIME_BYTES = 4, SECOND_US = 1000000 };

/* ---- Base45Rows ---- */

typedef struct {
    PyObject_HEAD
    PyObject *prefix, *must, *fixed;
    Py_ssize_t prefix_bytes, size, characters;
} Base45Rows;

static PyObject *base45_rows_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    PyObject *prefix, *must, *fixed;
    if (kwargs != NULL && PyDict_Size(kwargs) != 0) {
        return PyErr_Format(PyExc_TypeError, "Base45Rows has no named arguments");
    }
    if (!PyArg_ParseTuple(args, "SSS:Base45Rows", &prefix, &must, &fixed)) {
        return NULL;
    }
    if (PyBytes_Size(must) != PyBytes_Size(fixed)) {
        return PyErr_Format(PyExc_ValueError, "the bits and their mask differ in size");
    }
    Base45Rows *self = (Base45Rows *)PyType_GenericAlloc(type, 0);
    if (self == NULL) {
        return NULL;
    }
    self->prefix = Py_NewRef(prefix);
    self->must = Py_NewRef(must);
    self->fixed = Py_NewRef(fixed);
    self->prefix_bytes = PyBytes_Size(prefix);
    self->size = PyBytes_Size(must);
    self->characters = 3 * (self->size / 2) + 2 * (self->size % 2);
    return (PyObject *)self;
}

static void base45_rows_dealloc(PyObject *object) {
    Base45Rows *self = (Base45Rows *)object;
    PyTypeObject *type = Py_TYPE(object);
    Py_XDECREF(self->prefix);
    Py_XDECREF(self->must);
    Py_XDECREF(self->fixed);
    PyObject_Free(object);
    Py_DECREF(type);
}

static PyObject *base45_rows_read(PyObject *object, PyObject *code) {
    const Base45Rows *self = (const Base45Rows *)object;
    if (!PyBytes_Check(code)) {
        return PyErr_Format(PyExc_TypeError, "a code is bytes");
    }
    const char *text = PyBytes_AsString(code);
    if (PyBytes_Size(code) != self->prefix_bytes + self->characters ||
        memcmp(text, PyBytes_AsString(self->prefix), (size_t)self->prefix_bytes) != 0) {
        Py_RETURN_NONE;
    }
    PyObject *row = PyBytes_FromStringAndSize(NULL, self->size);
    if (row == NULL) {
        return NULL;
    }
    if (!onecode_base45_fits((size_t)self->characters, (const uint8_t *)text + self->prefix_bytes,
                             (uint8_t *)PyBytes_AsString(row), (const uint8_t *)PyBytes_AsString(self->must),
                             (const uint8_t *)PyBytes_AsString(self->fixed))) {
        Py_DECREF(row);
        Py_RETURN_NONE;
    }
    return row;
}

/* ---- RowCutter ---- */

/* Some bytes of a part: `literal`, or where that is NULL the bytes of the row that begin at `start`. */
typedef struct {
    const char *literal;
    Py_ssize_t start, size;
} Piece;

/* What one item of a cut row is: the pieces from `first` on, joined, or where there are none a time at `start`. */
typedef struct {
    Py_ssize_t first, pieces, size, start;
} Part;

typedef struct {
    PyObject_HEAD
    PyObject *described;  /* keeps the literals */
    Py_ssize_t row_bytes; /* how many a row has at least */
    Py_ssize_t parts;
    Part *part;
    Piece *piece;
} RowCutter;

/* Notes that a row has bytes from `start` to `end`. Returns 0 with an exception where none has. */
static int expect_bytes(RowCutter *self, Py_ssize_t start, Py_ssize_t end) {
    if (start < 0 || end < start) {
        PyErr_SetString(PyExc_ValueError, "no row has these bytes");
        return 0;
    }
    self->row_bytes = end > self->row_bytes ? end : self->row_bytes;
    return 1;
}

/* Reads where a piece is. Returns 0 with an exception where it is none. */
static int read_piece(RowCutter *self, PyObject *described, Piece *piece) {
    if (PyBytes_Check(described)) {
        piece->literal = PyBytes_AsString(described);
        piece->size = PyBytes_Size(described);
        return 1;
    }
    Py_ssize_t start, end;
    if (!PyTuple_Check(described) || !PyArg_ParseTuple(described, "nn", &start, &end)) {
        PyErr_SetString(PyExc_TypeError, "a piece is bytes, or its start and its end in a row");
        return 0;
    }
    *piece = (Piece){NULL, start, end - start};
    return expect_bytes(self, start, end);
}

/* Reads a part, whose pieces are added to self->piece from `first` on. Returns 0 with an exception where it is none. */
static int read_part(RowCutter *self, PyObject *described, Py_ssize_t first, Part *part) {
    if (PyLong_Check(described)) {
        Py_ssize_t start = PyLong_AsSsize_t(described);
        if (PyErr_Occurred()) {
            return 0;
        }
        *part = (Part){first, 0, 0, start};
        return expect_bytes(self, start, start > PY_SSIZE_T_MAX - TIME_BYTES ? -1 : start + TIME_BYTES);
    }
    if (!PyTuple_Check(described) || PyTuple_Size(described) == 0) {
        PyErr_SetString(PyExc_TypeError, "a part is the start of a time, or a tuple of pieces");
        return 0;
    }
    *part = (Part){first, PyTuple_Size(described), 0, 0};
    for (Py_ssize_t i = 0; i < part->pieces; i++) {
        Piece *piece = &self->piece[first + i];
        if (!read_piece(self, PyTuple_GetItem(described, i), piece)) {
            return 0;
        }
        if (piece->size > PY_SSIZE_T_MAX - part->size) {
            PyErr_NoMemory();
            return 0;
        }
        part->size += piece->size;
    }
    return 1;
}

/* Returns how many pieces the parts have. */
static Py_ssize_t count_pieces(PyObject *described) {
    Py_ssize_t count = 0;
    for (Py_ssize_t i = 0; i < PyTuple_Size(described); i++) {
        PyObject *part = PyTuple_GetItem(described, i);
        count += PyTuple_Check(part) ? PyTuple_Size(part) : 0;
    }
    return count;
}

static PyObject *row_cutter_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    PyObject *described;
    if (kwargs != NULL && PyDict_Size(kwargs) != 0) {
        return PyErr_Format(PyExc_TypeError, "RowCutter has no named arguments");
    }
    if (!PyArg_ParseTuple(args, "O!:RowCutter", &PyTuple_Type, &described)) {
        return NULL;
    }
    RowCutter *self = (RowCutter *)PyType_GenericAlloc(type, 0); /* filled with zeros */
    if (self == NULL) {
        return NULL;
    }
    self->described = Py_NewRef(described);
    self->parts = PyTuple_Size(described);
    self->part = PyMem_Calloc((size_t)self->parts, sizeof(Part));
    self->piece = PyMem_Calloc((size_t)count_pieces(described), sizeof(Piece));
    int is_read = self->part != NULL && self->piece != NULL;
    if (!is_read) {
        PyErr_NoMemory();
    }
    Py_ssize_t pieces = 0;
    for (Py_ssize_t i = 0; is_read && i < self->parts; i++) {
        is_read = read_part(self, PyTuple_GetItem(described, i), pieces, &self->part[i]);
        pieces += self->part[i].pieces;
    }
    if (!is_read) {
        Py_DECREF(self);
        return NULL;
    }
    return (PyObject *)self;
}

static void row_cutter_dealloc(PyObject *object) {
    RowCutter *self = (RowCutter *)object;
    PyTypeObject *type = Py_TYPE(object);
    PyMem_Free(self->part);
    PyMem_Free(self->piece);
    Py_XDECREF(self->described);
    PyObject_Free(object);
    Py_DECREF(type);
}

/* Returns the time in four bytes, in microseconds. */
static PyObject *time_at(const uint8_t *from) {
    uint32_t seconds = (uint32_t)from[0] << 24 | (uint32_t)from[1] << 16 | (uint32_t)from[2] << 8 | from[3];
    return PyLong_FromLongLong((long long)seconds * SECOND_US);
}

static PyObject *joined(const Piece *piece, const Part *part, const char *row) {
    PyObject *found = PyBytes_FromStringAndSize(NULL, part->size);
    if (found == NULL) {
        return NULL;
    }
    char *to = PyBytes_AsString(found);
    for (Py_ssize_t i = 0; i < part->pieces; to += piece[i].size, i++) {
        memcpy(to, piece[i].literal != NULL ? piece[i].literal : row + piece[i].start, (size_t)piece[i].size);
    }
    return found;
}

static PyObject *row_cutter_cut(PyObject *object, PyObject *row) {
    const RowCutter *self = (const RowCutter *)object;
    if (!PyBytes_Check(row)) {
        return PyErr_Format(PyExc_TypeError, "a row is bytes");
    }
    if (PyBytes_Size(row) < self->row_bytes) {
        return PyErr_Format(PyExc_ValueError, "a row has at least %zd bytes", self->row_bytes);
    }
    const char *from = PyBytes_AsString(row);
    PyObject *cut = PyTuple_New(self->parts);
    for (Py_ssize_t i = 0; cut != NULL && i < self->parts; i++) {
        const Part *part = &self->part[i];
        PyObject *item = part->pieces == 0 ? time_at((const uint8_t *)from + part->start)
                                           : joined(self->piece + part->first, part, from);
        if (item == NULL || PyTuple_SetItem(cut, i, item) != 0) {
            Py_CLEAR(cut);
        }
    }
    return cut;
}

/* ---- the module ---- */

static PyMethodDef base45_rows_methods[] = {
    {"read", base45_rows_read, METH_O, PyDoc_STR("Return the row of a code, or None where it does not fit.")},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot base45_rows_slots[] = {
    {Py_tp_new, base45_rows_new},
    {Py_tp_dealloc, base45_rows_dealloc},
    {Py_tp_methods, base45_rows_methods},
    {Py_tp_doc, PyDoc_STR("Base45Rows(prefix, must, fixed): texts whose bytes have the bits of a mask.")},
    {0, NULL},
};

static PyMethodDef row_cutter_methods[] = {
    {"cut", row_cutter_cut, METH_O, PyDoc_STR("Return the parts of a row. Raises ValueError where it is too short.")},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot row_cutter_slots[] = {
    {Py_tp_new, row_cutter_new},
    {Py_tp_dealloc, row_cutter_dealloc},
    {Py_tp_methods, row_cutter_methods},
    {Py_tp_doc, PyDoc_STR("RowCutter(parts): cuts times, and joined pieces, out of rows.")},
    {0, NULL},
};

static PyType_Spec specs[] = {
    {"onecode_server.codes.encodings._rows.Base45Rows", sizeof(Base45Rows), 0, Py_TPFLAGS_DEFAULT, base45_rows_slots},
    {"onecode_server.codes.encodings._rows.RowCutter", sizeof(RowCutter), 0, Py_TPFLAGS_DEFAULT, row_cutter_slots},
};

static int fill(PyObject *module) {
    for (size_t i = 0; i < sizeof specs / sizeof *specs; i++) {
        PyObject *type = PyType_FromSpec(&specs[i]);
        int failed = type == NULL || PyModule_AddType(module, (PyTypeObject *)type) != 0;
        Py_XDECREF(type);
        if (failed) {
            return -1;
        }
    }
    return 0;
}

static PyModuleDef_Slot module_slots[] = {{Py_mod_exec, fill}, {0, NULL}};

static PyModuleDef module = {
    PyModuleDef_HEAD_INIT, .m_name = "onecode_server.codes.encodings._rows", .m_slots = module_slots,
};

PyMODINIT_FUNC PyInit__rows(void);
PyMODINIT_FUNC PyInit__rows(void) {
    return PyModuleDef_Init(&module);
}
