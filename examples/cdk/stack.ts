// Account B with the AWS CDK: a function with the cross-account-secrets layer. Its three parts are marked 1, 2 and 3.
// Build the layer first: `npm run build` makes dist/. Then `npm install aws-cdk-lib constructs` in your project.
import { CfnOutput, Duration, Stack, type StackProps } from "aws-cdk-lib";
import { ManagedPolicy, PolicyStatement, Role, ServicePrincipal } from "aws-cdk-lib/aws-iam";
import { Architecture, Code, Function as LambdaFunction, LayerVersion, Runtime } from "aws-cdk-lib/aws-lambda";
import type { Construct } from "constructs";

interface SecretReaderProps extends StackProps {
  /** ARN of the role in Account A that may read the secret, and that trusts this function's role. */
  readonly targetRoleArn: string;
  /** Name or ARN of the secret in Account A. */
  readonly secretId: string;
  /** The external ID that the target role's trust policy requires. */
  readonly externalId?: string;
  /** Name of the function's execution role. It is fixed, because Account A's trust policy must name it beforehand. */
  readonly functionRoleName?: string;
  /** The root of this repository. */
  readonly repository: string;
}

export class SecretReader extends Stack {
  constructor(scope: Construct, id: string, props: SecretReaderProps) {
    super(scope, id, props);
    const { targetRoleArn, secretId, externalId = "", functionRoleName = "my-lambda-role", repository } = props;

    // 1. The layer. It contains its own Node.js, so it works with every x86_64 runtime.
    const layer = new LayerVersion(this, "CrossAccountSecrets", {
      code: Code.fromAsset(`${repository}/dist/cross-account-secrets-x86_64.zip`),
      compatibleArchitectures: [Architecture.X86_64],
    });

    const role = new Role(this, "FunctionRole", {
      roleName: functionRoleName,
      assumedBy: new ServicePrincipal("lambda.amazonaws.com"),
      managedPolicies: [ManagedPolicy.fromAwsManagedPolicyName("service-role/AWSLambdaBasicExecutionRole")],
    });
    // 3. The permission.
    role.addToPolicy(new PolicyStatement({ actions: ["sts:AssumeRole"], resources: [targetRoleArn] }));

    new LambdaFunction(this, "Function", {
      role,
      runtime: Runtime.PYTHON_3_13,
      architecture: Architecture.X86_64,
      code: Code.fromAsset(`${repository}/examples/python`),
      handler: "app.handler",
      memorySize: 256,
      timeout: Duration.seconds(10), // Above the client's 5 s, which is above the extension's 2.5 s.
      layers: [layer],
      // 2. The variables.
      environment: {
        SECRET_NAME: secretId, // Only the example reads it. The extension needs only the next three.
        CROSS_ACCOUNT_SECRETS_ROLE_ARN: targetRoleArn,
        CROSS_ACCOUNT_SECRETS_SECRET_IDS: secretId,
        CROSS_ACCOUNT_SECRETS_EXTERNAL_ID: externalId, // Empty is the same as unset.
      },
    });

    // The principal that Account A's trust policy must name.
    new CfnOutput(this, "FunctionRoleArn", { value: role.roleArn });
  }
}
