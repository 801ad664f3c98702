//! The grid of the documentation: every client, five rows, and three ways to pass them.

use stepup::judge::Verdict;
use stepup::result::{Asked, CaseResult, RunResult, Situation, Status};
use tokio::sync::OnceCell;

use crate::real_clients::{check_on, wrong};

/// Publishing, unpublishing one version, changing the mode, creating a token and logging in.
const ROWS: [&str; 6] = ["publish", "unpublish:version", "mode-change", "token-create", "login", "login:web"];

/// The ways: a code typed at a prompt, a code on the command line, and a security key on a page.
const WAYS: [(&str, Situation); 3] =
    [("totp", Situation::Terminal), ("totp", Situation::Script), ("security-key", Situation::Terminal)];

/// Every client performs the six doors to these rows, once for all tests of this file.
pub async fn performed() -> &'static RunResult {
    static RESULT: OnceCell<RunResult> = OnceCell::const_new();
    let rows = format!("auth-and-writes/{{{}}}/{{totp,security-key}}/**", ROWS.join(","));
    RESULT.get_or_init(|| async move { check_on("embedded", &["all"], &[&rows], &[]).await }).await
}

/// Whether a way leads through, or why not, in words.
fn end(case: &CaseResult) -> Result<(), String> {
    let session = case.session.as_ref().expect("a session");
    if case.status == Status::Pass && session.through {
        let on_page = case.factor == "security-key" || case.surface.as_deref() == Some("web");
        let asked = match (case.situation, session.asked) {
            // What a script is told is another matter.
            (Some(Situation::Script), _) => true,
            (_, Asked::ForPage) => on_page,
            (_, Asked::ForCode | Asked::Beforehand) => !on_page,
            (_, Asked::Nothing) => false,
        };
        assert!(asked, "{}: {session:?}", case.id);
        assert_eq!(case.verdicts, [Verdict::Exact], "{}", case.id);
        return Ok(());
    }
    assert_eq!(case.status, Status::Unsupported, "{}: {session:?}", case.id);
    let first = || session.limits.first().map(|limit| limit.kind.words().to_owned());
    Err(session.unspoken.clone().or_else(first).unwrap_or_else(|| format!("no reason: {session:?}")))
}

/// The grid as the documentation has it: a line for each client, a column for each row, a mark for each way, and why each
/// way does not lead through.
fn grid(result: &RunResult) -> String {
    let mut clients: Vec<&str> = result.cases.iter().map(|case| case.client.as_str()).collect();
    clients.dedup();
    let mut reasons: Vec<String> = Vec::new();
    let mut grid = format!("{:8}", "");
    ROWS.iter().for_each(|row| grid.push_str(&format!("  {row:17}")));
    for client in clients {
        grid = format!("{}\n{client:8}", grid.trim_end());
        for row in ROWS {
            let mut marks = String::new();
            for (factor, situation) in WAYS {
                let id = format!("auth-and-writes/{row}/{factor}/{client}/{situation}");
                let case = result.cases.iter().find(|case| case.id == id);
                marks.push(match case.map(end) {
                    None => ' ',
                    Some(Ok(())) => '+',
                    Some(Err(reason)) => {
                        let known = reasons.iter().position(|known| *known == reason);
                        let at = known.unwrap_or_else(|| {
                            reasons.push(reason);
                            reasons.len() - 1
                        });
                        char::from(b'a' + u8::try_from(at).expect("few reasons"))
                    }
                });
            }
            grid.push_str(&format!("  {marks:17}"));
        }
    }
    grid = format!("{}\n\n", grid.trim_end());
    for (letter, reason) in (b'a'..).map(char::from).zip(reasons) {
        grid.push_str(&format!("{letter}: {reason}\n"));
    }
    grid
}

#[tokio::test]
async fn every_way_through_every_row_is_open_to_a_client_or_documented_as_closed() {
    let result = performed().await;
    assert_eq!(wrong(result), []);
    let grid = grid(result);
    let page = include_str!("../../docs/clients.md");
    let indented: String = grid.lines().map(|line| format!("    {line}").trim_end().to_owned() + "\n").collect();
    assert!(page.contains(&indented), "docs/clients.md does not have this grid:\n{indented}");
}
