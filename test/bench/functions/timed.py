# Wraps a function of the bench, app.py: uses as much of the processor as imports would, and returns the time at which the secret was read.
import os
import time

IMPORTS_MS = int(os.environ.get("BENCH_IMPORTS_MS", "0"))
began = time.process_time()
while (time.process_time() - began) * 1000 < IMPORTS_MS:
    pass

import app  # the static code of the function reads the secret, unless only its handler does

STATIC_AT_MS = time.time() * 1000


def handler(event, context):
    entered = time.perf_counter()
    answer = app.handler(event, context)
    took_ms = (time.perf_counter() - entered) * 1000
    return {"staticAtMs": STATIC_AT_MS, "handlerAtMs": time.time() * 1000, "handlerMs": took_ms, "answer": answer}
