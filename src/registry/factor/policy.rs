//! The table: which actions are challenged in which mode.
//!
//! The first fifteen rows are the two tables of npm's page "About two-factor authentication";
//! log-in has two rows because it has two doors. What the page does not name follows npm's
//! registry documentation (wire notes §1.2): in auth-and-writes mode every write is challenged,
//! except stars, dist-tags other than `latest`, and what clients cannot answer.

use super::Mode;

/// Something that a request can be asking for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Action {
    LogIn,
    WebLogIn,
    SetProfile,
    SetPassword,
    ChangeMode,
    DisableTwoFactor,
    CreateToken,
    RevokeToken,
    Publish,
    Unpublish,
    Deprecate,
    SetVisibility,
    GrantAccess,
    RevokeAccess,
    SetPackageTwoFactor,
    AddCodes,
    AddKey,
    RemoveKey,
    ChangeOwners,
    TagLatest,
    ManageTeam,
    ManageOrg,
    ManageHook,
    ApproveStage,
    RejectStage,
    TagOther,
    Star,
    StagePublish,
    LogOut,
    Enrol,
    ConfirmEnrolment,
    ResetEnrolment,
    WhoAmI,
    Read,
}

impl Action {
    /// Whether it is a door to a session.
    pub(crate) fn logs_in(self) -> bool {
        matches!(self, Action::LogIn | Action::WebLogIn)
    }

    /// Whether it changes one package, which the path names.
    pub(crate) fn changes_package(self) -> bool {
        matches!(
            self,
            Action::Publish
                | Action::Unpublish
                | Action::Deprecate
                | Action::SetVisibility
                | Action::SetPackageTwoFactor
                | Action::ChangeOwners
        )
    }

    /// Whether it changes the account, or what opens it.
    pub(crate) fn is_of_account(self) -> bool {
        matches!(
            self,
            Action::SetProfile
                | Action::SetPassword
                | Action::ChangeMode
                | Action::DisableTwoFactor
                | Action::CreateToken
                | Action::RevokeToken
                | Action::AddCodes
                | Action::AddKey
                | Action::RemoveKey
        )
    }

    /// Whether it says who governs packages, which no bypass token may.
    pub(crate) fn governs(self) -> bool {
        matches!(
            self,
            Action::Unpublish
                | Action::SetVisibility
                | Action::GrantAccess
                | Action::RevokeAccess
                | Action::SetPackageTwoFactor
                | Action::ChangeOwners
                | Action::ManageTeam
                | Action::ManageOrg
        )
    }
}

/// In which modes an action is challenged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Challenged {
    InBothModes,
    InAuthAndWrites,
    Never,
}

use Challenged::{InAuthAndWrites, InBothModes, Never};

const TABLE: &[(Action, Challenged)] = &[
    // "Authorization only": these rows are in both tables.
    (Action::LogIn, InBothModes),
    (Action::WebLogIn, InBothModes),
    (Action::SetProfile, InBothModes),
    (Action::SetPassword, InBothModes),
    (Action::ChangeMode, InBothModes),
    (Action::DisableTwoFactor, InBothModes),
    (Action::CreateToken, InBothModes),
    (Action::RevokeToken, InBothModes),
    // "Authorization and writes": these rows are in that table alone.
    (Action::Publish, InAuthAndWrites),
    (Action::Unpublish, InAuthAndWrites),
    (Action::Deprecate, InAuthAndWrites),
    (Action::SetVisibility, InAuthAndWrites),
    (Action::GrantAccess, InAuthAndWrites),
    (Action::RevokeAccess, InAuthAndWrites),
    (Action::SetPackageTwoFactor, InAuthAndWrites),
    // Changes of what stands, which no row names: they are as "Change two-factor authentication
    // modes".
    (Action::AddCodes, InBothModes),
    (Action::AddKey, InBothModes),
    (Action::RemoveKey, InBothModes),
    // Writes that no row names.
    (Action::ChangeOwners, InAuthAndWrites),
    (Action::TagLatest, InAuthAndWrites),
    (Action::ManageTeam, InAuthAndWrites),
    (Action::ManageOrg, InAuthAndWrites),
    (Action::ManageHook, InAuthAndWrites),
    (Action::ApproveStage, InAuthAndWrites),
    (Action::RejectStage, InAuthAndWrites),
    // Writes that are exempt, or that clients cannot answer a challenge to (wire notes §10).
    (Action::TagOther, Never),
    (Action::Star, Never),
    (Action::StagePublish, Never),
    (Action::LogOut, Never),
    (Action::Enrol, Never),
    (Action::ConfirmEnrolment, Never),
    (Action::ResetEnrolment, Never),
    // Reads.
    (Action::WhoAmI, Never),
    (Action::Read, Never),
];

impl Action {
    /// What a person is asked to confirm.
    pub(crate) const fn about(self) -> &'static str {
        match self {
            Action::LogIn | Action::WebLogIn => "log in",
            Action::SetProfile => "change profile settings",
            Action::SetPassword => "change the password",
            Action::ChangeMode => "change the mode of two-factor authentication",
            Action::DisableTwoFactor => "disable two-factor authentication",
            Action::CreateToken => "create a token",
            Action::RevokeToken => "revoke a token",
            Action::Publish => "publish a package",
            Action::Unpublish => "unpublish a package",
            Action::Deprecate => "deprecate a package",
            Action::SetVisibility => "change who can see a package",
            Action::GrantAccess => "grant a team access to a package",
            Action::RevokeAccess => "revoke a team's access to a package",
            Action::SetPackageTwoFactor => "change whether a package requires two-factor authentication",
            Action::AddCodes => "add an authenticator app",
            Action::AddKey => "add a security key",
            Action::RemoveKey => "remove a security key",
            Action::ChangeOwners => "change the owners of a package",
            Action::TagLatest | Action::TagOther => "change a tag of a package",
            Action::ManageTeam => "change a team",
            Action::ManageOrg => "change an organisation",
            Action::ManageHook => "change a hook",
            Action::ApproveStage => "approve a staged version",
            Action::RejectStage => "reject a staged version",
            Action::Star => "star a package",
            Action::StagePublish => "stage a version",
            Action::LogOut => "log out",
            Action::Enrol | Action::ConfirmEnrolment | Action::ResetEnrolment => "set up two-factor authentication",
            Action::WhoAmI | Action::Read => "read",
        }
    }

    /// Whether the table asks for a second factor from a user in this mode. A user without a
    /// mode has no second factor to be asked for.
    pub(crate) fn is_challenged(self, mode: Option<Mode>) -> bool {
        let row = TABLE.iter().find(|(action, _)| *action == self);
        match (row.map_or(InBothModes, |(_, challenged)| *challenged), mode) {
            (_, None) | (Never, Some(_)) | (InAuthAndWrites, Some(Mode::AuthOnly)) => false,
            (InBothModes, Some(_)) | (InAuthAndWrites, Some(Mode::AuthAndWrites)) => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_action_has_exactly_one_row_in_order() {
        for (index, (action, _)) in TABLE.iter().enumerate() {
            assert_eq!(*action as usize, index);
        }
        assert_eq!(TABLE.len(), Action::Read as usize + 1);
    }

    #[test]
    fn a_user_without_two_factor_authentication_is_never_challenged() {
        for (action, _) in TABLE {
            assert!(!action.is_challenged(None));
        }
    }

    #[test]
    fn writes_are_challenged_in_one_mode_and_account_actions_in_both() {
        let both = |action: Action| [Mode::AuthOnly, Mode::AuthAndWrites].map(|mode| action.is_challenged(Some(mode)));
        assert_eq!(both(Action::RevokeToken), [true, true]);
        assert_eq!(both(Action::Publish), [false, true]);
        assert_eq!(both(Action::Star), [false, false]);
    }
}
