#define PY_SSIZE_T_CLEAN
#include <Python.h>

static PyObject *add(PyObject *self, PyObject *args) {
  long left, right;
  if (!PyArg_ParseTuple(args, "ll", &left, &right)) return NULL;
  return PyLong_FromLong(left + right);
}

static PyMethodDef methods[] = {{"add", add, METH_VARARGS, "Add two numbers."}, {NULL, NULL, 0, NULL}};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "_sum", NULL, -1, methods};

PyMODINIT_FUNC PyInit__sum(void) { return PyModule_Create(&module); }
