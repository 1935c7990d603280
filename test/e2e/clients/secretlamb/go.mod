module function

go 1.26

require (
	github.com/aws/aws-lambda-go v1.55.1
	github.com/winebarrel/secretlamb v0.4.0
)

require (
	github.com/hashicorp/go-cleanhttp v0.5.2 // indirect
	github.com/hashicorp/go-retryablehttp v0.7.7 // indirect
)
