/* Cuts parts out of single rows: bytes that are joined, and times. */
#include "single_rows.h"

#include <string.h>

enum { TIME_BYTES = 4, SECOND_US = 1000000 };

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

PyType_Spec row_cutter_spec = {
    "onecode_server.codes.encodings._rows.RowCutter", sizeof(RowCutter), 0, Py_TPFLAGS_DEFAULT, row_cutter_slots,
};
