# Wraps a function of the bench, app.py: burns as much of the processor as imports would, and tells when the secret was there.
import os
import time

IMPORTS_MS = int(os.environ.get("BENCH_IMPORTS_MS", "0"))
began = time.process_time()
while (time.process_time() - began) * 1000 < IMPORTS_MS:
    pass

import app  # its static code reads the secret, if it does

STATIC_AT_MS = time.time() * 1000


def handler(event, context):
    entered = time.perf_counter()
    answer = app.handler(event, context)
    took_ms = (time.perf_counter() - entered) * 1000
    return {"staticAtMs": STATIC_AT_MS, "handlerAtMs": time.time() * 1000, "handlerMs": took_ms, "answer": answer}
