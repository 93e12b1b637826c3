/* Decodes single texts in base45 that have a prefix, and compares their bytes with those of a layout. */
#include "single_rows.h"

#include <string.h>

#include "onecode_columns.h"

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

PyType_Spec base45_rows_spec = {
    "onecode_server.codes.encodings._rows.Base45Rows", sizeof(Base45Rows), 0, Py_TPFLAGS_DEFAULT, base45_rows_slots,
};
