import ctypes
import errno
import json
import os
import unittest

import paths  # noqa: F401

import kernel


def call(number):
    """errno of a system call with no arguments, 0 when it worked."""
    libc = ctypes.CDLL(None, use_errno=True)
    ctypes.set_errno(0)
    zero = ctypes.c_long(0)
    return 0 if libc.syscall(ctypes.c_long(number), zero, zero, zero) >= 0 else ctypes.get_errno()


class Filter(unittest.TestCase):
    def test_io_uring_is_refused_and_nothing_else(self):
        read, write = os.pipe()
        pid = os.fork()
        if pid == 0:
            kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
            set_up = kernel.refuse_io_uring()
            # 424 is pidfd_send_signal, 428 open_tree: they fail in a way of their own.
            answers = [set_up, *(call(number) for number in (425, 426, 427)), call(424) != errno.EPERM, os.getpid() > 1]
            os.write(write, json.dumps(answers).encode())
            os._exit(0)
        os.close(write)
        with open(read, "rb") as pipe:
            answers = json.loads(pipe.read())
        os.waitpid(pid, 0)
        self.assertEqual(answers, [True, errno.EPERM, errno.EPERM, errno.EPERM, True, True])


if __name__ == "__main__":
    unittest.main()
