# The code of common guides, without an extension: it assumes the role and reads the secret each time the secret is needed.
import json
import os

import boto3


def get_keys():
    role = os.environ["CROSS_ACCOUNT_SECRETS_ROLE_ARN"]
    session = boto3.client("sts").assume_role(RoleArn=role, RoleSessionName="function")["Credentials"]
    client = boto3.client(
        "secretsmanager",
        aws_access_key_id=session["AccessKeyId"],
        aws_secret_access_key=session["SecretAccessKey"],
        aws_session_token=session["SessionToken"],
    )
    return list(json.loads(client.get_secret_value(SecretId=os.environ["SECRET_NAME"])["SecretString"]))


INIT = get_keys()


def handler(event, context):
    return {"init": INIT, "handler": get_keys()}
