"""moto's server, with additions that `aws cloudformation deploy` and `sam deploy` need and that moto does not have:

    python moto-cloudformation.py FOLDER

The location of a layer's or function's zip is a path in FOLDER. In AWS it is a URL.
"""

import json
import os
import sys

from moto.awslambda.models import LambdaFunction, LayerVersion
from moto.cloudformation.models import ChangeSet, CloudFormationBackend, Stack
from moto.cloudformation.parsing import ResourceMap
from moto.core.common_models import CloudFormationModel
from moto.iam.models import Role
from moto.secretsmanager.models import secretsmanager_backends
from moto.server import main
from moto.utilities.utils import get_partition
from samtranslator.translator.transform import transform


def around(cls, name):
    """Replaces a method by the function below, which gets the method as its first argument."""

    def replace(function):
        method = getattr(cls, name)
        setattr(cls, name, lambda *args, **kwargs: function(method, *args, **kwargs))

    return replace


@around(CloudFormationBackend, "create_change_set")
def translate_sam(method, self, *, template, parameters, **others):
    """Uses AWS's own translator, which in AWS runs inside CloudFormation."""
    parsed = Stack.parse_template(template)
    if "Transform" in parsed:
        os.environ["AWS_DEFAULT_REGION"] = self.region_name
        template = json.dumps(transform(parsed, parameters, None))
    return method(self, template=template, parameters=parameters, **others)


@around(ChangeSet, "apply")
def keep_outputs(method, self):
    self.stack.template = self.template
    self.stack._parse_template()
    method(self)
    self.stack.output_map = self.stack._create_output_map()


@around(ResourceMap, "__init__")
def name_partition(method, self, *args, **kwargs):
    method(self, *args, **kwargs)
    self._parsed_resources["AWS::Partition"] = get_partition(self._region_name)


@around(Role, "put_policy")
def keep_json(method, self, name, policy):
    method(self, name, json.dumps(policy) if isinstance(policy, dict) else policy)


LayerVersion.physical_resource_id = property(lambda self: self.arn)  # the value of !Ref


@around(LayerVersion, "get_layer_version")
def with_layer(method, self):
    answer = method(self)
    answer["Content"]["Location"] = to_file(f"{self.name}-{self.version}", self.code_bytes)
    return answer


@around(LambdaFunction, "get_code")
def with_code(method, self):
    answer = method(self)
    answer["Code"]["Location"] = to_file(self.function_name, self.code_bytes)
    return answer


def to_file(name, content):
    path = os.path.join(sys.argv[1], f"{name}.zip")
    with open(path, "wb") as file:
        file.write(content)
    return path


@around(LambdaFunction, "create_from_cloudformation_json")
def with_layers(method, name, resource, *args, **kwargs):
    function = method(name, resource, *args, **kwargs)
    function.update_configuration({"Layers": resource["Properties"]["Layers"]})
    return function


class Secret(CloudFormationModel):
    __module__ = "moto.secretsmanager"  # moto reads the service's name from it

    def __init__(self, arn):
        self.physical_resource_id = arn

    @staticmethod
    def cloudformation_name_type():
        return "Name"

    @staticmethod
    def cloudformation_type():
        return "AWS::SecretsManager::Secret"

    @classmethod
    def create_from_cloudformation_json(cls, name, resource, account_id, region, **_):
        backend = secretsmanager_backends[account_id][region]
        properties = resource["Properties"]
        wanted = properties["GenerateSecretString"]
        exclusions = dict.fromkeys(
            ("exclude_numbers", "exclude_punctuation", "exclude_uppercase", "exclude_lowercase", "include_space"), False
        )
        password = backend.get_random_password(
            password_length=32,
            exclude_characters=wanted["ExcludeCharacters"],
            require_each_included_type=True,
            **exclusions,
        )
        value = json.loads(wanted["SecretStringTemplate"])
        value[wanted["GenerateStringKey"]] = json.loads(password)["RandomPassword"]
        secret = backend.create_secret(
            name=name,
            secret_string=json.dumps(value),
            secret_binary=None,
            description=properties["Description"],
            tags=None,
            kms_key_id=properties.get("KmsKeyId"),
            client_request_token=None,
            replica_regions=[],
            force_overwrite=False,
        )
        return cls(json.loads(secret)["ARN"])


main(["-H", "127.0.0.1", "-p", "0"])
