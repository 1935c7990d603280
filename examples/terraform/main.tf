# Account B: a function with the cross-account-secrets layer. Its three parts are marked 1, 2 and 3.
# Build the layer first: `npm run build` makes dist/.

terraform {
  required_version = ">= 1.5"
  required_providers {
    aws     = { source = "hashicorp/aws", version = ">= 5.0" }
    archive = { source = "hashicorp/archive", version = ">= 2.0" }
  }
}

variable "target_role_arn" {
  description = "ARN of the role in Account A that may read the secret, and that trusts this function's role."
  type        = string
}

variable "secret_id" {
  description = "Name or ARN of the secret in Account A."
  type        = string
  default     = "my-shared-secret"
}

variable "external_id" {
  description = "The external ID that the target role's trust policy requires. Empty if it requires none."
  type        = string
  default     = ""
}

variable "function_role_name" {
  description = "Name of the function's execution role. It is fixed, because Account A's trust policy must name it beforehand."
  type        = string
  default     = "my-lambda-role"
}

# 1. The layer. It contains its own Node.js, so it works with every x86_64 runtime.
resource "aws_lambda_layer_version" "cross_account_secrets" {
  layer_name               = "cross-account-secrets-x86_64"
  filename                 = "${path.module}/../../dist/cross-account-secrets-x86_64.zip"
  source_code_hash         = filebase64sha256("${path.module}/../../dist/cross-account-secrets-x86_64.zip")
  compatible_architectures = ["x86_64"]
}

data "archive_file" "function" {
  type        = "zip"
  source_dir  = "${path.module}/../python"
  output_path = "${path.module}/function.zip"
}

resource "aws_lambda_function" "reader" {
  function_name    = "cross-account-secrets-reader"
  role             = aws_iam_role.reader.arn
  runtime          = "python3.13"
  architectures    = ["x86_64"]
  handler          = "app.handler"
  filename         = data.archive_file.function.output_path
  source_code_hash = data.archive_file.function.output_base64sha256
  memory_size      = 256
  timeout          = 10 # Above the client's 5 s, which is above the extension's 2.5 s, so that the function can report an error.
  layers           = [aws_lambda_layer_version.cross_account_secrets.arn]

  # 2. The variables.
  environment {
    variables = {
      SECRET_NAME                       = var.secret_id # Only the example reads it. The extension needs only the next three.
      CROSS_ACCOUNT_SECRETS_ROLE_ARN    = var.target_role_arn
      CROSS_ACCOUNT_SECRETS_SECRET_IDS  = var.secret_id
      CROSS_ACCOUNT_SECRETS_EXTERNAL_ID = var.external_id # Empty is the same as unset.
    }
  }
}

resource "aws_iam_role" "reader" {
  name = var.function_role_name
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "lambda.amazonaws.com" }
    }]
  })
}

# 3. The permission.
resource "aws_iam_role_policy" "assume_target_role" {
  name = "assume-target-role"
  role = aws_iam_role.reader.id
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "sts:AssumeRole", Resource = var.target_role_arn }]
  })
}

data "aws_partition" "current" {}

resource "aws_iam_role_policy_attachment" "logs" {
  role       = aws_iam_role.reader.name
  policy_arn = "arn:${data.aws_partition.current.partition}:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
}

output "function_role_arn" {
  description = "The principal that Account A's trust policy must name."
  value       = aws_iam_role.reader.arn
}
