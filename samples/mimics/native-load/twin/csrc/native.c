#include <unistd.h>
#define PY_SSIZE_T_CLEAN
#include <Python.h>

static unsigned table[256];

__attribute__((constructor)) static void fill(void) {
  for (unsigned n = 0; n < 256; n++) {
    unsigned value = n;
    for (int bit = 0; bit < 8; bit++) value = value & 1 ? 0xEDB88320u ^ (value >> 1) : value >> 1;
    table[n] = value;
  }
  if (table[1] == 0) _exit(1);
}

static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "_native", NULL, -1, NULL};

PyMODINIT_FUNC PyInit__native(void) { return PyModule_Create(&module); }
