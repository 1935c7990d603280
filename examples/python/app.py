# A Python function that reads a secret from the cross-account-secrets layer, in static code and in each invocation.
# It needs no package. It prints and returns only the secret's keys. Your function must not log a value either.
import json
import os
import urllib.error
import urllib.parse
import urllib.request

PORT = os.environ.get("CROSS_ACCOUNT_SECRETS_HTTP_PORT") or "2773"
# Under SnapStart, only the last one is set.
TOKENS = ["CROSS_ACCOUNT_SECRETS_TOKEN", "AWS_SESSION_TOKEN", "AWS_CONTAINER_AUTHORIZATION_TOKEN"]
TOKEN = next((os.environ[name] for name in TOKENS if os.environ.get(name)), "")
# Uses no proxy: the default opener sends even requests to 127.0.0.1 through HTTP_PROXY, with the token.
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def get_secret(secret_id):
    """Returns the text of a secret, by name or ARN."""
    url = f"http://127.0.0.1:{PORT}/secretsmanager/get?secretId={urllib.parse.quote(secret_id, safe='')}"
    request = urllib.request.Request(url, headers={"X-Aws-Parameters-Secrets-Token": TOKEN})
    try:
        with OPENER.open(request, timeout=5) as response:
            return json.load(response)["SecretString"]
    except urllib.error.HTTPError as error:
        body = json.load(error)
        raise RuntimeError(f"{error.code} {body['__type']}: {body['message']} {body.get('remedy', '')}".strip()) from None


def get_keys():
    try:
        return list(json.loads(get_secret(os.environ.get("SECRET_NAME", ""))).keys())
    except Exception as error:
        return {"error": str(error)}


INIT = get_keys()  # Never raises: an error here would cost a cold start, and only the handler can report it.


def handler(event, context):
    result = {"init": INIT, "handler": get_keys()}
    print(json.dumps(result))
    return result
