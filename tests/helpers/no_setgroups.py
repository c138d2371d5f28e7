"""A program that runs another one in which setgroups(2) does nothing and reports success.

In a user namespace made without privileges the kernel forbids setgroups(2), even to its root.
"""

from __future__ import annotations

import ctypes
import os
import platform
import struct
import sys

_PR_SET_SECCOMP = 22
_SECCOMP_MODE_FILTER = 2
_LOAD_WORD = 0x20
_JUMP_IF_EQUAL = 0x15
_RETURN = 0x06
_SECCOMP_RET_ALLOW = 0x7FFF0000
_SECCOMP_RET_ERRNO = 0x00050000
_SUCCESS = 0
_SETGROUPS = {"x86_64": 116}.get(platform.machine(), 159)


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def _instruction(code: int, operand: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("HBBI", code, if_true, if_false, operand)


def main(command: list[str]) -> None:
    instructions = [
        _instruction(_LOAD_WORD, 0),
        _instruction(_JUMP_IF_EQUAL, _SETGROUPS, if_true=0, if_false=1),
        _instruction(_RETURN, _SECCOMP_RET_ERRNO | _SUCCESS),
        _instruction(_RETURN, _SECCOMP_RET_ALLOW),
    ]
    program = _Program(len(instructions), b"".join(instructions))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(program), 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "cannot install a seccomp filter")
    os.execvp(command[0], command)


if __name__ == "__main__":
    main(sys.argv[1:])
