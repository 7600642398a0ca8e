"""The process that ``apart`` starts, seen from inside; it imports nothing heavy, so that it starts in a moment."""

from __future__ import annotations

import errno
import gc
import multiprocessing
import os
import pickle
import re
import signal
import sys
import threading
import traceback
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path

import psutil

from pipeline.errors import CropsortError, OutOfMemoryError

TOLD, DONE, FAILED = "told", "done", "failed"
REMEDY = "close other programs, or set a lower memory, batch or imgsz"
LONGEST_LINE = 200
_NO_MEMORY = re.compile(
    r"out of memory"  # CUDA, ROCm, MPS
    r"|can't allocate memory|not enough memory|cannot allocate memory"  # torch on a CPU: Linux, Windows, the system
    r"|(CUBLAS|CUDNN|CUSOLVER|CUFFT)_STATUS_(\w+_)?ALLOC(ATION)?_FAILED"
    r"|CUDNN_STATUS_INTERNAL_ERROR|CUBLAS_STATUS_NOT_INITIALIZED"  # what a full card makes of starting them
    r"|unable to find an engine|unable to find a valid cuDNN algorithm"  # none that fits into what is left
    r"|invalid buffer size"  # MPS
    r"|bad_alloc|insufficient memory"  # C++, OpenCV
    r"|out of shared memory|killed by signal: Killed"  # a process of torch's data loader
    r"|could not (create|execute) a primitive$|could not create a memory object",  # oneDNN, torch's CPU kernels
    re.IGNORECASE,
)


def serve(pipe: Connection, log: Path, name: str) -> None:
    """What the process does: one work after the other until it is told to end."""
    _redirect(log)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_follow_parent, args=(log,), daemon=True).start()
    multiprocessing.set_start_method(None, force=True)  # the processes of data loaders start as they do elsewhere
    with suppress(OSError):  # where memory runs out, this is the process to kill, not the one that waits for it
        Path("/proc/self/oom_score_adj").write_text("500", encoding="ascii")
    while task := pipe.recv_bytes():
        pipe.send_bytes(_work(task, pipe, name))
        gc.collect()  # what an error's traceback held
    gc.freeze()  # or Python spends seconds at its end on looking through all that torch loaded


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error of Python, torch, its libraries or the system says that memory ran out."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":  # torch's, which may not be loaded
        return True
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM or says_no_memory(str(error))  # Pillow's decoders raise it without a number
    foreign = isinstance(error, RuntimeError) or type(error).__module__ == "cv2"
    return foreign and says_no_memory(str(error))


def says_no_memory(text: str) -> bool:
    """Whether an error's text is one of those that torch, its libraries and the system have for memory running out."""
    return bool(_NO_MEMORY.search(text))


def _redirect(log: Path) -> None:
    """Send what this process prints to the file, what native code prints as well."""
    number = os.open(log, os.O_WRONLY | os.O_APPEND)
    os.dup2(number, 1)
    os.dup2(number, 2)
    os.close(number)
    # Line by line, and in any language: what was said last must be there when the process dies.
    sys.stdout = sys.stderr = os.fdopen(2, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False)


def _follow_parent(log: Path) -> None:
    """End this process and its descendants when the process that started it is gone."""
    if parent := multiprocessing.parent_process():
        parent.join()
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            process.kill()
    with suppress(OSError):
        log.unlink(missing_ok=True)
    os._exit(1)


def _work(task: bytes, pipe: Connection, name: str) -> bytes:
    lock = threading.Lock()

    def tell(message: object) -> None:
        packed = pickle.dumps((TOLD, message))
        with lock:
            pipe.send_bytes(packed)

    try:
        work, arguments = pickle.loads(task)
        return pickle.dumps((DONE, work(*arguments, tell)))
    except Exception as error:  # whatever it is, it is raised again where the work was asked for
        return _pack(error, name)


def _pack(error: Exception, name: str) -> bytes:
    there = "".join(traceback.format_exception(error)).rstrip()
    told: BaseException = error
    if is_out_of_memory(error) and not isinstance(error, CropsortError):
        said = (str(error).strip().splitlines() or [type(error).__name__])[0][:LONGEST_LINE]
        told = OutOfMemoryError(said, where=name, remedy=REMEDY)
    told.add_note(f"in the process apart:\n{there}")
    try:
        packed = pickle.dumps((FAILED, told))
        pickle.loads(packed)
    except Exception:  # classes of exceptions that cannot be rebuilt from their arguments fail in any way
        told = RuntimeError(f"{type(error).__name__}: {error}")
        told.add_note(f"in the process apart:\n{there}")
        packed = pickle.dumps((FAILED, told))
    return packed
