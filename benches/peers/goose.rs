//! goose as a peer of the load engine: one request, again and again. `benches/peers/run` starts it with goose's own options
//! and tells it in the environment whom it speaks for.

use goose::goose::{GooseMethod, GooseRequest, GooseUser, Scenario, Transaction, TransactionResult};
use goose::{GooseAttack, GooseError, scenario, transaction};

const PLACE: &str = "/-/npm/v1/user";

async fn ask(user: &mut GooseUser) -> TransactionResult {
    let request = user
        .get_request_builder(&GooseMethod::Post, PLACE)?
        .header("content-type", "application/json")
        .header("authorization", std::env::var("PEER_AUTHORIZATION").unwrap_or_default())
        .header("npm-otp", std::env::var("PEER_CODE").unwrap_or_default())
        .body(std::env::var("PEER_BODY").unwrap_or_default());
    let request = GooseRequest::builder().set_request_builder(request).expect_status_code(401).build();
    user.request(request).await?;
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), GooseError> {
    let attack = GooseAttack::initialize()?;
    let metrics = attack.register_scenario(scenario!("ask").register_transaction(transaction!(ask))).execute().await?;
    let asked: usize = metrics.requests.values().map(|request| request.raw_data.counter).sum();
    println!("asked {asked}");
    Ok(())
}
