/* The module of the Python types that read single rows. */
#include "single_rows.h"

static int fill(PyObject *module) {
    PyType_Spec *specs[] = {&base45_rows_spec, &row_cutter_spec};
    for (size_t i = 0; i < sizeof specs / sizeof *specs; i++) {
        PyObject *type = PyType_FromSpec(specs[i]);
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
