//! A function that reads secrets and parameters as aws-parameters-and-secrets-lambda shows, in static code and in the handler.
//! It answers the hash of a value, not the value.
use std::{env, error::Error, fmt::Display};

use aws_parameters_and_secrets_lambda::Manager;
use serde_json::{json, Value};

async fn read_secret(manager: &Manager, secret_id: &str) -> Value {
    to_answer(manager.get_secret(secret_id).get_raw().await)
}

async fn read_parameter(manager: &Manager, name: &str, with_decryption: bool) -> Value {
    to_answer(manager.get_parameter(name, with_decryption).get_raw().await)
}

fn to_answer(read: Result<String, impl Display>) -> Value {
    match read {
        Ok(value) => {
            let sha256 = openssl::sha::sha256(value.as_bytes());
            json!({"sha256": sha256.map(|byte| format!("{byte:02x}")).concat()})
        }
        Err(error) => json!({"error": format!("{error:#}")}),
    }
}

async fn handle(manager: &Manager, event: &Value) -> Value {
    match event["parameterName"].as_str() {
        Some(name) => read_parameter(manager, name, event["withDecryption"] == true).await,
        None => read_secret(manager, event["secretId"].as_str().unwrap_or_default()).await,
    }
}

async fn run() -> Result<(), Box<dyn Error>> {
    let manager = Manager::default();
    let init = json!({
        "secret": read_secret(&manager, &env::var("SECRET_NAME")?).await,
        "parameter": read_parameter(&manager, &env::var("PARAMETER_NAME")?, false).await,
    });
    let runtime = reqwest::Client::new();
    let invocation = format!("http://{}/2018-06-01/runtime/invocation", env::var("AWS_LAMBDA_RUNTIME_API")?);
    loop {
        let next = runtime.get(format!("{invocation}/next")).send().await?.error_for_status()?;
        let id = next.headers()["Lambda-Runtime-Aws-Request-Id"].to_str()?.to_string();
        let event: Value = next.json().await?;
        let answer = json!({"init": init, "handler": handle(&manager, &event).await});
        let response = runtime.post(format!("{invocation}/{id}/response")).json(&answer);
        response.send().await?.error_for_status()?;
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(run())
}
