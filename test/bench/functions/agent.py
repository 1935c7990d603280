# A function beside AWS's agent, which cannot be reached from static code: the handler asks until the agent answers, as the agent's example advises.
import json
import os
import time
import urllib.error
import urllib.parse
import urllib.request

QUERY = {"secretId": os.environ["SECRET_NAME"], "roleArn": os.environ["CROSS_ACCOUNT_SECRETS_ROLE_ARN"]}
URL = f"http://127.0.0.1:{os.environ['CROSS_ACCOUNT_SECRETS_HTTP_PORT']}/secretsmanager/get?{urllib.parse.urlencode(QUERY)}"
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def get_keys():
    request = urllib.request.Request(URL, headers={"X-Aws-Parameters-Secrets-Token": os.environ["AWS_SESSION_TOKEN"]})
    while True:
        try:
            with OPENER.open(request, timeout=5) as response:
                return list(json.loads(json.load(response)["SecretString"]))
        except urllib.error.HTTPError:
            raise
        except urllib.error.URLError:
            time.sleep(0.01)


def handler(event, context):
    return {"handler": get_keys()}
