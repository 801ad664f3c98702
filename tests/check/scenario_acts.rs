//! Acts of scenarios that name tokens, routines and ends: what is wrong is said where it stands, with what is allowed.

use crate::program::check_into;

const HEAD: &str = "rule: a rule\nlevel: implied\ncites: [somewhere]\nacts:\n";

/// What is said of acts that are wrong, without the breaks that fit it to a terminal.
fn said_of(acts: &str) -> String {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("own.yaml");
    std::fs::write(&file, format!("{HEAD}{acts}")).expect("a file");
    let ran = check_into(&["--scenario", &file.display().to_string()], &folder.path().join("out"));
    assert_eq!(ran.code, Some(2), "{acts}: {}", ran.said);
    ran.said.replace(['\n', '│', ' '], "")
}

#[test]
fn an_unknown_name_is_pointed_at_with_those_that_are_known() {
    for (acts, at, message, hint) in [
        (
            "  - { run: automation-token, as: robot }\n  - { perform: publish, with: robto, proof: none, must: be-denied }\n",
            "own.yaml:6:31",
            "no earlier routine has `as: robto`",
            "did you mean `robot`? allowed: `companion`, `robot`",
        ),
        (
            "  - { run: revoke-token, with: spare }\n",
            "own.yaml:5:32",
            "no earlier routine has `as: spare`",
            "allowed: `companion`",
        ),
        (
            "  - { perform: publish, given: [share, require-2fas], proof: none, must: be-denied }\n",
            "own.yaml:5:40",
            "no routine `require-2fas`",
            "did you mean `require-2fa`?",
        ),
        (
            "  - { perform: publish, through: publsh, proof: none, must: be-denied }\n",
            "own.yaml:5:34",
            "no routine `publsh`",
            "did you mean `publish`?",
        ),
        (
            "  - { guess: spent, at-most: 9, must: be-told }\n",
            "own.yaml:5:14",
            "no routine `spent`",
            "did you mean `spend`?",
        ),
        (
            "  - { perform: publish, proof: none, must: be-deneid }\n",
            "own.yaml:5:44",
            "unknown value `be-deneid`",
            "did you mean `be-denied`?",
        ),
    ] {
        let said = said_of(acts);
        for part in [at, message, hint] {
            assert!(said.contains(&part.replace(' ', "")), "{acts}: {part}: {said}");
        }
    }
}

#[test]
fn an_act_that_makes_no_sense_says_what_would() {
    for (acts, message) in [
        ("  - { guess: spend, must: be-told }\n", "guesses say `at-most` how many, from 1 to 1000"),
        (
            "  - { guess: spend, at-most: 9, must: succeed }\n",
            "guesses must `be-throttled`, `be-told`, `end-as-told`, `say-how-long`, `be-harmless` or `be-stated`",
        ),
        (
            "  - { guess: spend, proof: none, at-most: 9, must: be-told }\n",
            "guesses carry wrong codes; with `proof: none` they must `be-harmless`",
        ),
        (
            "  - { perform: publish, proof: none, must: be-told }\n",
            "an attempt must `succeed`, `be-refused`, `be-denied`",
        ),
        (
            "  - { perform: publish, proof: right, must: agree-with-file }\n",
            "is for codes that are `expired` or `early`",
        ),
        ("  - { run: spend, must: be-refused }\n", "a routine must `succeed`, `be-understood` or `show-no-secret`"),
        (
            "  - { confidence: 100, at-once: [{ perform: publish, proof: none, must: be-refused }] }\n",
            "`confidence` is a percentage from 1 to 99",
        ),
        (
            "  - at-once: [{ perform: publish, given: [share], proof: none, must: be-refused }]\n",
            "attempts at once have neither `with`, `through`, `given`, `as-client` nor `may`",
        ),
        (
            "  - { perform: key-add, proof: { key: right }, registration: counter-back, must: be-refused }\n",
            "it cannot be what an assertion with a lower signature counter is",
        ),
        (
            "  - { perform: key-add, proof: right, registration: wrong-origin, must: be-refused }\n",
            "a wrong `registration` is of an attempt with `proof: { key: right }`",
        ),
        (
            "  - { perform: publish, proof: right, confidence: 99, must: be-refused }\n",
            "`confidence` is of attempts `at-once`, or of a proof that is `fetched: { at-once: … }`",
        ),
        ("  - { perform: publish, proof: none, written: full-width, must: be-refused }\n", "or `typed` is a code"),
        ("  - { perform: publish, proof: right, may: be-refused }\n", "an attempt may `succeed`"),
        ("  - { run: spend, may: succeed }\n", "a routine succeeds unless it says otherwise"),
        (
            "  - at-once: [{ perform: publish, proof: right, typed: true, must: succeed }]\n",
            "attempts at once are neither `written`, `typed` nor `may: succeed`",
        ),
        (
            "  - at-once: [{ perform: publish, proof: { key: wrong-origin }, must: be-refused }]\n",
            "attempts at once have what a page makes of a right assertion",
        ),
    ] {
        let said = said_of(acts);
        assert!(said.contains(&message.replace(' ', "")), "{acts}: {said}");
    }
}
