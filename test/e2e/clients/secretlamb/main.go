// A function that reads secrets and parameters as secretlamb's README shows, in static code and in the handler. What it says
// of a value tells whether it is the right one, and not what it is.
package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"os"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/winebarrel/secretlamb"
)

var (
	secrets    = secretlamb.MustNewSecrets().WithRetry(3)
	parameters = secretlamb.MustNewParameters().WithRetry(3)
	static     = map[string]any{
		"secret":    ofSecret(secrets.Get(os.Getenv("SECRET_NAME"))),
		"parameter": ofParameter(parameters.Get(os.Getenv("PARAMETER_NAME"))),
	}
)

func ofSecret(v *secretlamb.SecretOutput, err error) map[string]any {
	if err != nil {
		return map[string]any{"error": err.Error()}
	}
	return ofValue(v.SecretString)
}

func ofParameter(v *secretlamb.ParameterOutput, err error) map[string]any {
	if err != nil {
		return map[string]any{"error": err.Error()}
	}
	return ofValue(v.Parameter.Value)
}

func ofValue(value string) map[string]any {
	sha256 := sha256.Sum256([]byte(value))
	return map[string]any{"sha256": hex.EncodeToString(sha256[:])}
}

type request struct {
	SecretID       string
	ParameterName  string
	WithDecryption bool
}

func read(event request) map[string]any {
	switch {
	case event.ParameterName == "":
		return ofSecret(secrets.Get(event.SecretID))
	case event.WithDecryption:
		return ofParameter(parameters.GetWithDecryption(event.ParameterName))
	default:
		return ofParameter(parameters.Get(event.ParameterName))
	}
}

func handler(_ context.Context, event request) (map[string]any, error) {
	return map[string]any{"init": static, "handler": read(event)}, nil
}

func main() {
	lambda.Start(handler)
}
