//! All paths and verbs, and where each goes.
//!
//! A path is matched by its decoded segments (a scoped package's name is one of them), then the
//! verb by the list beside it: a path that nothing matches is 404, a verb that its list lacks 405.

use serde_json::json;

use super::model::{PackageName, ScopeName, TeamName, UserName};
use super::overasked::ask_of_reader;
use super::service::Desk;
use super::wire::Verb::{Delete, Get, Post, Put};
use super::wire::{Answer, Call, Refusal, Reply, Verb};
use super::{accounts, hooks, packages, scopes};

/// The verbs that a path knows.
type Verbs<'a> = &'a [(Verb, &'a dyn Fn() -> Reply)];

/// Finds the endpoint of a call and runs it.
pub(crate) fn route(desk: &Desk, call: &Call) -> Reply {
    ask_of_reader(call, &desk.settings().mutants)?;
    match call.segments().as_slice() {
        [] => on(call, &[(Get, &|| Ok(Answer::ok(json!({ "db_name": "registry" }))))]),
        ["-", rest @ ..] => dashed(desk, call, rest),
        [name, rest @ ..] => package(desk, call, name, rest),
    }
}

/// Paths below `/-/`.
fn dashed(desk: &Desk, call: &Call, rest: &[&str]) -> Reply {
    match rest {
        ["account", rest @ ..] => account(desk, call, rest),
        ["auth", page, rest @ ..] => authorization(desk, call, page, rest),
        ["ping"] => on(call, &[(Get, &|| Ok(Answer::ok(json!({}))))]),
        ["whoami"] => on(call, &[(Get, &|| accounts::whoami(desk, call))]),
        ["v1", rest @ ..] => version_one(desk, call, rest),
        ["npm", "v1", rest @ ..] => npm(desk, call, rest),
        ["user", rest @ ..] => user(desk, call, rest),
        ["_view", "starredByUser"] => on(call, &[(Get, &|| packages::starred(desk, call))]),
        ["package", name, rest @ ..] => package_setting(desk, call, name, rest),
        ["org", name, rest @ ..] => org(desk, call, name, rest),
        ["team", name, team, rest @ ..] => in_team(desk, call, name, team, rest),
        ["stage", rest @ ..] => stage(desk, call, rest),
        _ => Err(Refusal::NotFound("not found")),
    }
}

/// Paths below `/-/account`: the page, and the security keys.
fn account(desk: &Desk, call: &Call, rest: &[&str]) -> Reply {
    match rest {
        [] => on(call, &[(Get, &accounts::show_account)]),
        ["keys"] => on(call, &[(Get, &|| accounts::list_keys(desk, call)), (Post, &|| accounts::add_key(desk, call))]),
        // An identifier is hexadecimal, so none is called `options`.
        ["keys", "options"] => on(call, &[(Post, &|| accounts::begin_key(desk, call))]),
        ["keys", id] => on(call, &[(Delete, &|| accounts::remove_key(desk, call, id))]),
        _ => Err(Refusal::NotFound("not found")),
    }
}

/// Paths below `/-/auth/<page>`: a web challenge.
fn authorization(desk: &Desk, call: &Call, page: &str, rest: &[&str]) -> Reply {
    match rest {
        [] => on(
            call,
            &[
                (Get, &|| accounts::show_authorization(desk, page)),
                (Post, &|| accounts::answer_authorization(desk, call, page)),
            ],
        ),
        ["options"] => on(call, &[(Post, &|| accounts::ask_authorization(desk, call, page))]),
        ["assertion"] => on(call, &[(Post, &|| accounts::assert_authorization(desk, call, page))]),
        _ => Err(Refusal::NotFound("not found")),
    }
}

/// Paths below `/-/v1/`: search and the web login.
fn version_one(desk: &Desk, call: &Call, rest: &[&str]) -> Reply {
    match rest {
        ["search"] => on(call, &[(Get, &|| packages::search(desk, call))]),
        ["login"] => on(call, &[(Post, &|| accounts::start_web_log_in(desk, call))]),
        ["login", page] => on(
            call,
            &[
                (Get, &|| accounts::show_web_log_in(desk, page)),
                (Post, &|| accounts::answer_web_log_in(desk, call, page)),
            ],
        ),
        ["login", page, "options"] => on(call, &[(Post, &|| accounts::ask_web_log_in(desk, call, page))]),
        ["login", page, "assertion"] => on(call, &[(Post, &|| accounts::assert_web_log_in(desk, call, page))]),
        ["done", ticket] => accounts::poll(desk, call, ticket),
        _ => Err(Refusal::NotFound("not found")),
    }
}

/// Paths below `/-/npm/v1/`: the profile, tokens, hooks, audits.
fn npm(desk: &Desk, call: &Call, rest: &[&str]) -> Reply {
    match rest {
        ["user"] => {
            on(call, &[(Get, &|| accounts::show_profile(desk, call)), (Post, &|| accounts::change_profile(desk, call))])
        }
        ["tokens"] => {
            on(call, &[(Get, &|| accounts::list_tokens(desk, call)), (Post, &|| accounts::create_token(desk, call))])
        }
        ["tokens", "token", token] => on(call, &[(Delete, &|| accounts::revoke_token(desk, call, token))]),
        ["hooks"] => on(call, &[(Get, &|| hooks::list(desk, call))]),
        ["hooks", "hook"] => on(call, &[(Post, &|| hooks::add(desk, call))]),
        ["hooks", "hook", id] => on(
            call,
            &[
                (Get, &|| hooks::show(desk, call, id)),
                (Put, &|| hooks::update(desk, call, id)),
                (Delete, &|| hooks::remove(desk, call, id)),
            ],
        ),
        // An audit finds nothing, so that installing works.
        ["security", ..] => on(call, &[(Post, &|| Ok(Answer::ok(json!({}))))]),
        _ => Err(Refusal::NotFound("not found")),
    }
}

/// Paths below `/-/user/`: log-in, log-out, stars, a user's packages.
fn user(desk: &Desk, call: &Call, rest: &[&str]) -> Reply {
    match rest {
        ["token", token] => on(call, &[(Delete, &|| accounts::log_out(desk, call, token))]),
        ["v1", "star"] => {
            on(call, &[(Put, &|| packages::star_named(desk, call)), (Delete, &|| packages::unstar_named(desk, call))])
        }
        ["package", name, "star"] => on(
            call,
            &[
                (Put, &|| packages::star(desk, call, &PackageName::parse(name)?)),
                (Delete, &|| packages::unstar(desk, call, &PackageName::parse(name)?)),
            ],
        ),
        [name, "package"] => on(call, &[(Get, &|| scopes::user_packages(desk, call, &UserName::parse(name)?))]),
        [document] => match document.strip_prefix("org.couchdb.user:") {
            Some(name) => on(
                call,
                &[
                    (Get, &|| accounts::show_user(desk, &UserName::parse(name)?)),
                    (Put, &|| accounts::log_in(desk, call, &UserName::parse(name)?)),
                ],
            ),
            None => Err(Refusal::NotFound("not found")),
        },
        [document, "-rev", revision] => match document.strip_prefix("org.couchdb.user:") {
            Some(name) => on(call, &[(Put, &|| accounts::log_in_at(desk, call, &UserName::parse(name)?, revision))]),
            None => Err(Refusal::NotFound("not found")),
        },
        _ => Err(Refusal::NotFound("not found")),
    }
}

/// Paths below `/-/package/<name>/`.
fn package_setting(desk: &Desk, call: &Call, name: &str, rest: &[&str]) -> Reply {
    let name = &PackageName::parse(name)?;
    match rest {
        ["dist-tags"] => on(
            call,
            &[
                (Get, &|| packages::list_tags(desk, call, name)),
                (Put, &|| packages::replace_tags(desk, call, name)),
                (Post, &|| packages::merge_tags(desk, call, name)),
            ],
        ),
        ["dist-tags", tag] => on(
            call,
            &[
                (Get, &|| packages::show_tag(desk, call, name, tag)),
                (Put, &|| packages::set_tag(desk, call, name, tag)),
                (Post, &|| packages::set_tag(desk, call, name, tag)),
                (Delete, &|| packages::remove_tag(desk, call, name, tag)),
            ],
        ),
        ["access"] => on(
            call,
            &[
                (Get, &|| packages::show_access(desk, call, name)),
                (Post, &|| packages::change_access(desk, call, name)),
            ],
        ),
        ["visibility"] => on(call, &[(Get, &|| packages::show_visibility(desk, call, name))]),
        ["collaborators"] => on(call, &[(Get, &|| packages::collaborators(desk, call, name))]),
        ["owners"] => on(
            call,
            &[(Get, &|| packages::list_owners(desk, call, name)), (Put, &|| packages::add_owner(desk, call, name))],
        ),
        ["owners", user] => {
            on(call, &[(Delete, &|| packages::remove_owner(desk, call, name, &UserName::parse(user)?))])
        }
        _ => Err(Refusal::NotFound("not found")),
    }
}

/// Paths below `/-/org/<scope>/`.
fn org(desk: &Desk, call: &Call, name: &str, rest: &[&str]) -> Reply {
    let name = &ScopeName::parse_lenient(name)?;
    match rest {
        ["user"] => on(
            call,
            &[
                (Get, &|| scopes::list_members(desk, call, name)),
                (Put, &|| scopes::set_member(desk, call, name)),
                (Delete, &|| scopes::remove_member(desk, call, name)),
            ],
        ),
        ["team"] => on(
            call,
            &[(Get, &|| scopes::list_teams(desk, call, name)), (Put, &|| scopes::create_team(desk, call, name))],
        ),
        ["package"] => on(call, &[(Get, &|| scopes::scope_packages(desk, call, name))]),
        _ => Err(Refusal::NotFound("not found")),
    }
}

/// Paths below `/-/team/<scope>/<team>`.
fn in_team(desk: &Desk, call: &Call, name: &str, team: &str, rest: &[&str]) -> Reply {
    let name = &ScopeName::parse_lenient(name)?;
    let team = &TeamName::parse(team)?;
    match rest {
        [] => on(call, &[(Delete, &|| scopes::destroy_team(desk, call, name, team))]),
        ["user"] => on(
            call,
            &[
                (Get, &|| scopes::list_team_members(desk, call, name, team)),
                (Put, &|| scopes::add_team_member(desk, call, name, team)),
                (Delete, &|| scopes::remove_team_member(desk, call, name, team)),
            ],
        ),
        ["package"] => on(
            call,
            &[
                (Get, &|| scopes::team_packages(desk, call, name, team)),
                (Put, &|| scopes::grant(desk, call, name, team)),
                (Delete, &|| scopes::revoke(desk, call, name, team)),
            ],
        ),
        _ => Err(Refusal::NotFound("not found")),
    }
}

/// Paths below `/-/stage`.
fn stage(desk: &Desk, call: &Call, rest: &[&str]) -> Reply {
    match rest {
        [] => on(call, &[(Get, &|| packages::list_stages(desk, call))]),
        ["package", name] => on(call, &[(Post, &|| packages::add_stage(desk, call, &PackageName::parse(name)?))]),
        [id] => on(
            call,
            &[(Get, &|| packages::show_stage(desk, call, id)), (Delete, &|| packages::reject_stage(desk, call, id))],
        ),
        [id, "tarball"] => on(call, &[(Get, &|| packages::stage_tarball(desk, call, id))]),
        [id, "approve"] => on(call, &[(Post, &|| packages::approve_stage(desk, call, id))]),
        _ => Err(Refusal::NotFound("not found")),
    }
}

/// Paths that begin with a package's name.
fn package(desk: &Desk, call: &Call, name: &str, rest: &[&str]) -> Reply {
    let name = &match PackageName::parse(name) {
        Ok(name) => name,
        Err(_) if call.verb() == Some(Get) => return Err(Refusal::NotFound("not found")),
        Err(refusal) => return Err(refusal),
    };
    match rest {
        [] => on(call, &[(Get, &|| packages::show(desk, call, name)), (Put, &|| packages::put(desk, call, name))]),
        ["-rev", revision] => on(
            call,
            &[
                (Put, &|| packages::put_at(desk, call, name, revision)),
                (Delete, &|| packages::unpublish_all(desk, call, name, revision)),
            ],
        ),
        // Some clients keep the scope in the tarball's own name.
        ["-", file] | ["-", _, file] => on(call, &[(Get, &|| packages::tarball(desk, call, name, file))]),
        ["-", file, "-rev", revision] | ["-", _, file, "-rev", revision] => {
            on(call, &[(Delete, &|| packages::remove_tarball(desk, call, name, file, revision))])
        }
        [selector] => on(call, &[(Get, &|| packages::show_version(desk, call, name, selector))]),
        _ => Err(Refusal::NotFound("not found")),
    }
}

/// Runs the endpoint of the call's verb.
fn on(call: &Call, verbs: Verbs<'_>) -> Reply {
    match verbs.iter().find(|(verb, _)| call.verb() == Some(*verb)) {
        Some((_, endpoint)) => endpoint(),
        None => Err(Refusal::WrongVerb(verbs.iter().map(|(verb, _)| *verb).collect())),
    }
}
