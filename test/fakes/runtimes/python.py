"""A runtime interface client for Python, just enough to run a function on the fake Lambda with nothing installed. It finds
the handler as Lambda's own client does: `_HANDLER=app.handler` is `handler` in $LAMBDA_TASK_ROOT/app.py."""

import importlib
import json
import os
import sys
import urllib.request

API = f"http://{os.environ['AWS_LAMBDA_RUNTIME_API']}/2018-06-01/runtime"
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # ignores the function's HTTP_PROXY


def get_next():
    with OPENER.open(f"{API}/invocation/next") as response:
        return response.headers["Lambda-Runtime-Aws-Request-Id"], json.load(response)


def post(path, body):
    OPENER.open(f"{API}/{path}", data=json.dumps(body).encode()).close()


def to_error_body(error):
    return {"errorType": type(error).__name__, "errorMessage": str(error)}


sys.dont_write_bytecode = True  # the task folder is read-only on Lambda
sys.stdout.reconfigure(line_buffering=True)
sys.path.insert(0, os.environ["LAMBDA_TASK_ROOT"])
module_name, handler_name = os.environ["_HANDLER"].split(".")
try:
    handler = getattr(importlib.import_module(module_name), handler_name)
except Exception as error:
    post("init/error", to_error_body(error))
    sys.exit(1)

while True:
    request_id, event = get_next()
    try:
        result = handler(event, None)
    except Exception as error:
        post(f"invocation/{request_id}/error", to_error_body(error))
    else:
        post(f"invocation/{request_id}/response", result)
