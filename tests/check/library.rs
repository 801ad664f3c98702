//! The library's example holds what it says.

#[path = "../../examples/in_process.rs"]
#[allow(dead_code, reason = "its `main` is for who runs it")]
mod in_process;

use in_process::check;

fn only(case: &str) -> Vec<String> {
    vec![case.to_owned()]
}

#[tokio::test(flavor = "multi_thread")]
async fn the_example_checks_a_registry_in_process() {
    let said = check("embedded".to_owned(), only("auth-and-writes/publish/*/*")).await.expect("all is held");
    assert_eq!(said, "3 of 3 cases are exact");
    let said = check("embedded".to_owned(), only("nothing/*")).await.expect_err("nothing is selected");
    assert!(said.to_string().contains("matches no case"), "{said}");
}
