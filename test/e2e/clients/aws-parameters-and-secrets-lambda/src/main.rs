//! A function that reads secrets as the README of aws-parameters-and-secrets-lambda shows, in static code and in the handler.
//! What it says of a value tells whether it is the right one, and not what it is.
use std::{env, error::Error};

use aws_parameters_and_secrets_lambda::Manager;
use serde_json::{json, Value};

async fn read(manager: &Manager, secret_id: &str) -> Value {
    match manager.get_secret(secret_id).get_raw().await {
        Ok(value) => {
            let sha256 = openssl::sha::sha256(value.as_bytes());
            json!({"sha256": sha256.map(|byte| format!("{byte:02x}")).concat()})
        }
        Err(error) => json!({"error": format!("{error:#}")}),
    }
}

async fn run() -> Result<(), Box<dyn Error>> {
    let manager = Manager::default();
    let init = read(&manager, &env::var("SECRET_NAME")?).await;
    let runtime = reqwest::Client::new();
    let invocation = format!("http://{}/2018-06-01/runtime/invocation", env::var("AWS_LAMBDA_RUNTIME_API")?);
    loop {
        let next = runtime.get(format!("{invocation}/next")).send().await?.error_for_status()?;
        let id = next.headers()["Lambda-Runtime-Aws-Request-Id"].to_str()?.to_string();
        let event: Value = next.json().await?;
        let handler = read(&manager, event["secretId"].as_str().unwrap_or_default()).await;
        let answer = runtime.post(format!("{invocation}/{id}/response")).json(&json!({"init": init, "handler": handler}));
        answer.send().await?.error_for_status()?;
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(run())
}
