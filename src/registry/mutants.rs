//! The faults that can be seeded, each one bug behind one switch.
//!
//! A mutant is the registry with one of these switched on. The place where a fault acts reads
//! `mutants.has(Mutant::…)`, so that the correct path stays readable around it.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

macro_rules! mutants {
    ($($variant:ident, $name:literal, $about:literal;)+) => {
        /// One seeded fault.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Mutant {
            $(#[doc = $about] $variant,)+
        }

        impl Mutant {
            /// Every fault, in the order in which they are documented.
            pub const ALL: &'static [Mutant] = &[$(Mutant::$variant,)+];

            /// The name on the command line.
            pub const fn name(self) -> &'static str {
                match self { $(Mutant::$variant => $name,)+ }
            }

            /// What is wrong, in one line.
            pub const fn about(self) -> &'static str {
                match self { $(Mutant::$variant => $about,)+ }
            }
        }
    };
}

mutants! {
    LogInUnchallenged, "login-unchallenged", "logging in with name and password asks for no second factor";
    WebLogInUnchallenged, "web-login-unchallenged", "the web login page asks for no second factor";
    ProfileUnchallenged, "profile-unchallenged", "profile settings change without a second factor";
    PasswordUnchallenged, "password-unchallenged", "the password changes without a second factor";
    ModeChangeUnchallenged, "mode-change-unchallenged", "the 2FA mode changes without a second factor";
    DisableUnchallenged, "disable-unchallenged", "2FA is disabled without a second factor";
    TokenCreateUnchallenged, "token-create-unchallenged", "tokens are created without a second factor";
    TokenRevokeUnchallenged, "token-revoke-unchallenged", "tokens are revoked without a second factor";
    PublishUnchallenged, "publish-unchallenged", "publishing asks for no second factor";
    UnpublishUnchallenged, "unpublish-unchallenged", "unpublishing asks for no second factor";
    DeprecateUnchallenged, "deprecate-unchallenged", "deprecating asks for no second factor";
    VisibilityUnchallenged, "visibility-unchallenged", "package visibility changes without a second factor";
    GrantUnchallenged, "grant-unchallenged", "team access is granted without a second factor";
    RevokeGrantUnchallenged, "revoke-grant-unchallenged", "team access is revoked without a second factor";
    PackageTwoFactorUnchallenged, "package-2fa-unchallenged", "a package's 2FA requirement changes without a second factor";
    TarballDeleteUnchallenged, "tarball-delete-unchallenged", "the second write of an unpublish, the tarball's removal, asks for no second factor";

    ScopedPublishUnchallenged, "scoped-publish-unchallenged", "publishing a package with a scope asks for no second factor";
    LaterVersionUnchallenged, "later-version-unchallenged", "publishing a further version of a package asks for no second factor";
    EmptyProofPublishes, "empty-proof-publishes", "an empty one-time password lets a publication through";
    EmptyProofMakesTokens, "empty-proof-makes-tokens", "an empty one-time password makes a token";
    LettersAccepted, "letters-accepted", "a code with letters in it is accepted, but for what changes a package";
    LongCodeAccepted, "long-code-accepted", "of a code only the first six digits are looked at, but for what changes a package";
    ShortCodeAccepted, "short-code-accepted", "the first five digits of a code are accepted, but for what changes a package";
    WebClientUnchallenged, "web-client-unchallenged", "a client that can show a page is not challenged for a user with codes alone";

    OtherClientsUnchallenged, "other-clients-unchallenged", "a client that does not call itself npm is asked for no second factor";
    PnpmUnchallenged, "pnpm-unchallenged", "pnpm is asked for no second factor";
    YarnUnchallenged, "yarn-unchallenged", "Yarn is asked for no second factor";
    BunUnchallenged, "bun-unchallenged", "Bun is asked for no second factor";
    SilentClientsUnchallenged, "silent-clients-unchallenged", "a client that does not say how it asks its user (npm-auth-type) is asked for no second factor";
    PipelinesUnchallenged, "pipelines-unchallenged", "a client that says that it runs in a pipeline (npm-in-ci) is asked for no second factor";
    BasicWrites, "basic-writes", "a name and a password with each request change packages without a second factor";
    BasicChangesAccount, "basic-changes-account", "a name and a password with each request change the account without a second factor";
    LegacyLogInUnchallenged, "legacy-login-unchallenged", "the second request of a log-in that met a conflict (-rev) asks for no second factor";

    AuthOnlyPublishChallenged, "auth-only-publish-challenged", "publishing is challenged in auth-only mode";
    DisabledPublishChallenged, "disabled-publish-challenged", "publishing is challenged for a user without 2FA";
    AuthOnlyUnpublishChallenged, "auth-only-unpublish-challenged", "unpublishing is challenged in auth-only mode";
    AuthOnlyDeprecateChallenged, "auth-only-deprecate-challenged", "deprecating is challenged in auth-only mode";
    AuthOnlyVisibilityChallenged, "auth-only-visibility-challenged", "a change of package visibility is challenged in auth-only mode";
    AuthOnlyGrantsChallenged, "auth-only-grants-challenged", "granting and revoking team access is challenged in auth-only mode";
    AuthOnlyPackageTwoFactorChallenged, "auth-only-package-2fa-challenged", "a change of a package's 2FA requirement is challenged in auth-only mode";
    DisabledWritesChallenged, "disabled-writes-challenged", "what changes a package, but for publishing and revoking, is challenged for a user without 2FA";
    DisabledRevocationChallenged, "disabled-revocation-challenged", "revoking team access is challenged for a user without 2FA";
    DisabledPublicChallenged, "disabled-public-challenged", "making a package public is challenged for a user without 2FA";
    DisabledTarballChallenged, "disabled-tarball-challenged", "the second write of an unpublish, the tarball's removal, is challenged for a user without 2FA";
    WhoAmIChallenged, "whoami-challenged", "a read, whoami, is challenged";
    ProfileReadChallenged, "profile-read-challenged", "reading the profile is challenged";
    TokenListChallenged, "token-list-challenged", "listing tokens is challenged";
    PackumentChallenged, "packument-challenged", "reading a package is challenged";
    WriteReadChallenged, "write-read-challenged", "reading a package before it is written (`?write=true`) is challenged";
    TarballChallenged, "tarball-challenged", "fetching a tarball is challenged";
    TagsReadChallenged, "tags-read-challenged", "reading a package's tags is challenged";
    VisibilityReadChallenged, "visibility-read-challenged", "reading a package's visibility is challenged";
    CollaboratorsChallenged, "collaborators-challenged", "listing a package's collaborators is challenged";
    TeamPackagesChallenged, "team-packages-challenged", "listing a team's packages is challenged";
    UserPackagesChallenged, "user-packages-challenged", "listing a user's packages is challenged";
    PingChallenged, "ping-challenged", "pinging is challenged";
    SearchChallenged, "search-challenged", "searching is challenged";

    ChallengeForbidden, "challenge-forbidden", "a challenge has status 403 instead of 401";
    ChallengeWithoutHeader, "challenge-without-header", "a challenge has no www-authenticate header";
    ChallengeHeaderParameter, "challenge-header-parameter", "a challenge's www-authenticate header has a parameter after OTP";
    ChallengeTextInMessage, "challenge-text-in-message", "a challenge has no header, and its text is in `message`, not in `error`";
    ChallengeBasicHeader, "challenge-basic-header", "a challenge's www-authenticate header says Basic";

    PublishBeforeChallenge, "publish-before-challenge", "a version is published before the challenge is answered";
    PackumentBeforeChallenge, "packument-before-challenge", "a version is listed without its tarball before the challenge is answered";
    PublishAfterChallenge, "publish-after-challenge", "a publication that was challenged is carried out with the user's next one, whatever becomes of that";
    TokenCreateBeforeChallenge, "token-create-before-challenge", "a token exists before the challenge is answered";
    PasswordBeforeChallenge, "password-before-challenge", "the password changes before the challenge is answered";

    AnyProofAccepted, "any-proof-accepted", "any text at all is accepted as a code";
    AnySixDigitsAccepted, "any-six-digits-accepted", "any six digits are accepted as a code";
    ReplayAccepted, "replay-accepted", "a spent code is accepted again";
    ReplayAcceptedElsewhere, "replay-accepted-elsewhere", "a spent code is accepted again for another action";
    ReplayAcceptedOnWrites, "replay-accepted-on-writes", "a code that was spent on the account is accepted again for what changes a package";
    ReplayAcceptedForProfile, "replay-accepted-for-profile", "a code that was spent on something else is accepted again for the profile";
    SpentForgottenInNextStep, "spent-forgotten-in-next-step", "that a code was spent is forgotten when the next step begins";
    WrongCodeForgetsSpent, "wrong-code-forgets-spent", "a wrong code makes the registry forget which code was spent";
    EnrolmentNoEffect, "enrolment-no-effect", "confirming an enrolment answers success and recovery codes, and enables nothing";
    KeyEnrolmentNoEffect, "key-enrolment-no-effect", "registering a first security key answers success and recovery codes, and enables nothing";
    EnrolmentCodeNotSpent, "enrolment-code-not-spent", "the code that confirmed an enrolment is accepted once more";
    RecoveryCodeReusable, "recovery-code-reusable", "a recovery code is accepted more than once";
    ZerosAccepted, "zeros-accepted", "six zeros are accepted as a code";
    RecoveryShapeAccepted, "recovery-shape-accepted", "any text of the form of a recovery code is accepted from a user with codes";
    SpacedCodeReplayed, "spaced-code-replayed", "a spent code is accepted again with a space in it";
    WideCodeReplayed, "wide-code-replayed", "a spent code is accepted again in full-width digits";
    SignedCodeReplayed, "signed-code-replayed", "a spent code is accepted again with a plus sign before it";
    ReadsSpendCodes, "reads-spend-codes", "a code that comes with a read is spent on it";
    SpentTooLate, "spent-too-late", "a proof is spent only once its verification ends, so copies sent at once all pass";
    SpentTooLateAtLogIn, "spent-too-late-at-log-in", "copies of a proof that are sent at once all log in";
    CodeSpentTooLateOnWrites, "code-spent-too-late-on-writes", "copies of a code that are sent at once all change packages";
    RecoveryCodeSpentTooLate, "recovery-code-spent-too-late", "copies of a recovery code that are sent at once all pass";
    WebTokenSpentTooLate, "web-token-spent-too-late", "copies of the token of a web challenge that are sent at once all pass";
    WrongPassesWhileVerifying, "wrong-passes-while-verifying", "while a proof is being verified, wrong ones of the same user pass";
    OpenWhileVerifying, "open-while-verifying", "while a proof is being verified, requests without one pass";
    FormerSecretAccepted, "former-secret-accepted", "codes of the secret before the last enrolment are still accepted";
    FormerSecretMakesTokens, "former-secret-makes-tokens", "codes of the secret before the last enrolment make tokens";
    FormerSecretChangesAccount, "former-secret-changes-account", "codes of the secret before the last enrolment log in and change the account";
    FormerSecretWrites, "former-secret-writes", "codes of the secret before the last enrolment change packages";
    AnybodysCodeMakesTokens, "anybodys-code-makes-tokens", "another user's code makes tokens";
    AnybodysCodeChangesAccount, "anybodys-code-changes-account", "another user's code logs in and changes the account";
    AnybodysCodeWrites, "anybodys-code-writes", "another user's code changes packages";
    OldCodeMakesTokens, "old-code-makes-tokens", "a code of two steps ago makes tokens";
    OldCodeChangesAccount, "old-code-changes-account", "a code of two steps ago logs in and changes the account";
    OldCodeWrites, "old-code-writes", "a code of two steps ago changes packages";
    EarlyCodeMakesTokens, "early-code-makes-tokens", "a code of two steps ahead makes tokens";
    EarlyCodeChangesAccount, "early-code-changes-account", "a code of two steps ahead logs in and changes the account";
    EarlyCodeWrites, "early-code-writes", "a code of two steps ahead changes packages";
    WideWindowOnWrites, "wide-window-on-writes", "codes from ten steps behind and ahead let writes through";
    WideWindowAtLogIn, "wide-window-at-log-in", "codes from ten steps behind and ahead log in";
    LogInRecoveryCodeReusable, "log-in-recovery-code-reusable", "a recovery code logs in more than once";
    CodesFromBeforeAccepted, "codes-from-before-accepted", "of codes up to ten steps old, those that are older than the last that was spent are accepted";
    WideWindow, "wide-window", "codes from ten steps behind and ahead are accepted";
    RightProofRefused, "right-proof-refused", "a right code is refused";

    PublishNoEffect, "publish-no-effect", "publishing with a right code answers success and does nothing";
    DeprecateNoEffect, "deprecate-no-effect", "deprecating with a right code answers success and does nothing";
    ProfileNoEffect, "profile-no-effect", "profile settings with a right code answer success and do nothing";
    ModeChangeNoEffect, "mode-change-no-effect", "a mode change answers success and does nothing";

    LogInTokenDead, "login-token-dead", "the token that a login hands out does not work";
    DefaultModeAuthOnly, "default-mode-auth-only", "2FA that is enabled in the default mode, which npm always names, is enabled as auth-only";
    OldPasswordWorks, "old-password-works", "the old password still works after a change";
    ThrottledAtOnce, "throttled-at-once", "the first wrong code is answered 429";
    TokenCreateHangs, "token-create-hangs", "creating a token is never answered";
    HalfJson, "half-json", "creating a token answers half a JSON document";

    FactorForgottenAfterReenable, "factor-forgotten-after-reenable", "a mode change after 2FA was disabled and enabled again leaves the factor unasked for";
    ModeLostAfterPasswordChange, "mode-lost-after-password-change", "a change of the password sets the mode back to auth-only";
    SpentForgottenAfterModeChange, "spent-codes-forgotten-after-mode-change", "a mode change makes the registry forget which codes were spent";
    FormerRecoveryCodesAccepted, "recovery-codes-of-former-enrolment-accepted", "recovery codes of the enrolment before the last are still accepted";
    UnchallengedAfterRightProof, "unchallenged-after-right-proof", "a user who has sent a right proof once is not asked again";
    SecondUserWeakensFirst, "second-user-weakens-first", "the mode that any user chose last is enforced for all who have a factor";

    CodesAddedUnchallenged, "codes-added-unchallenged", "a user with keys alone gets codes beside them without a second factor";
    KeyAddedUnchallenged, "key-added-unchallenged", "a security key is added beside what stands without a second factor";
    KeyRemovedUnchallenged, "key-removed-unchallenged", "a security key is removed without a second factor";
    KeyAddedWithoutPassword, "key-added-without-password", "a security key is added without the password";
    KeyAddedPasswordMissing, "key-added-password-missing", "a security key is added by a request that names no password";
    KeyRemovedWithAnyPassword, "key-removed-with-any-password", "a security key is removed with any password";
    KeyRemovedPasswordMissing, "key-removed-password-missing", "a security key is removed by a request that names no password";
    KeyUsersUnchallenged, "key-users-unchallenged", "a user with security keys alone is never asked for them";
    ZerosForKeyUser, "zeros-for-key-user", "six zeros are accepted from a user with security keys alone";
    AnyCodeForKeyUser, "any-code-for-key-user", "any six digits are accepted from a user with security keys alone";
    RecoveryCodeRefusedForKeyUser, "recovery-code-refused-for-key-user", "recovery codes are refused from a user with security keys alone";
    KeyReplacesCodes, "key-replaces-codes", "adding a security key beside codes does away with the codes";
    CodesReplaceKeys, "codes-replace-keys", "adding codes beside security keys does away with the keys";
    KeyEnrolmentWeakensMode, "key-enrolment-weakens-mode", "adding a security key beside what stands changes the mode to auth-only";

    WebChallengeWithoutHeader, "web-challenge-without-header", "a challenge with authUrl has no www-authenticate header";
    WebChallengeWithoutDoneUrl, "web-challenge-without-done-url", "a challenge has authUrl and no doneUrl";
    WebChallengeRelativeUrls, "web-challenge-relative-urls", "authUrl and doneUrl are paths without the registry's address";
    ClassicChallengeToKeyUser, "classic-challenge-to-key-user", "a client that can show a page is given none for a user with security keys alone";
    KeyOfferedToCodeUser, "key-offered-to-code-user", "a user with codes alone is sent to a page that asks for a security key alone";

    AssertionReplayed, "assertion-replayed", "an assertion that was accepted is accepted again";
    EarlierChallengeAccepted, "earlier-challenge-accepted", "an assertion of a challenge that a later one has replaced is accepted";
    ChallengeOfAnotherSessionAccepted, "challenge-of-another-session-accepted", "an assertion of the challenge of another page is accepted";
    WrongOriginAccepted, "wrong-origin-accepted", "an assertion made for another origin answers a challenge";
    CrossOriginAccepted, "cross-origin-accepted", "an assertion made in a frame of another origin is accepted";
    WrongRpIdAccepted, "wrong-rp-id-accepted", "an assertion made for another relying party is accepted";
    UserPresenceIgnored, "user-presence-ignored", "an assertion without user presence is accepted";
    UserVerificationIgnored, "user-verification-ignored", "an assertion without user verification is accepted";
    SignatureIgnored, "signature-ignored", "an assertion with a broken signature answers a challenge";
    CounterIgnored, "counter-ignored", "an assertion whose counter has not risen is accepted";
    UserHandleIgnored, "user-handle-ignored", "an assertion that names another user is accepted";
    CredentialOfAnotherUserAccepted, "credential-of-another-user-accepted", "an assertion of another user's key is accepted";
    RemovedKeyAccepted, "removed-key-accepted", "an assertion of a removed key is accepted";
    CeremonyTypeIgnored, "ceremony-type-ignored", "what a key signed for a registration is accepted as an assertion";
    RightAssertionRefused, "right-assertion-refused", "a right assertion is refused";
    ChallengeIgnored, "challenge-ignored", "an assertion of a challenge that nobody gave out answers a challenge";
    LogInChallengeIgnored, "log-in-challenge-ignored", "the web log-in accepts an assertion of a challenge that nobody gave out";
    LogInOriginIgnored, "log-in-origin-ignored", "the web log-in accepts an assertion made for another origin";
    LogInSignatureIgnored, "log-in-signature-ignored", "the web log-in accepts an assertion with a broken signature";

    RegistrationTypeIgnored, "registration-type-ignored", "client data of an assertion register a key";
    RegistrationChallengeIgnored, "registration-challenge-ignored", "a registration of any challenge registers a key";
    RegistrationOriginIgnored, "registration-origin-ignored", "a registration made on another origin registers a key";
    RegistrationCrossOriginIgnored, "registration-cross-origin-ignored", "a registration made in a frame of another origin registers a key";
    RegistrationRpIdIgnored, "registration-rp-id-ignored", "a registration for another relying party registers a key";
    RegistrationPresenceIgnored, "registration-presence-ignored", "a registration without user presence registers a key";
    RegistrationVerificationIgnored, "registration-verification-ignored", "a registration without user verification registers a key";
    RefusedRegistrationKept, "refused-registration-kept", "a key whose registration is refused is kept all the same";

    DoneBeforeAssertion, "done-before-assertion", "doneUrl yields a token before the page is answered";
    DoneForAnotherUser, "done-for-another-user", "doneUrl yields its token to another user";
    DoneNotAnonymous, "done-not-anonymous", "doneUrl does not know clients that poll without credentials";
    DoneForGetOnly, "done-for-get-only", "doneUrl answers no verb but GET";
    DoneTwice, "done-twice", "doneUrl yields a token each time";
    DoneAfterExpiry, "done-after-expiry", "doneUrl yields its token after the page has expired";
    LogInDoneTwice, "login-done-twice", "the doneUrl of a web login yields a session each time";
    LogInDoneAfterExpiry, "login-done-after-expiry", "the doneUrl of a web login yields its session after the page has expired";
    PendingForAnHour, "pending-for-an-hour", "doneUrl asks clients to wait for an hour before they ask again";
    PollsAtOnce, "polls-at-once", "polls of one doneUrl that are sent at once each yield a token";
    PendingWithoutRetryAfter, "pending-without-retry-after", "doneUrl does not say when to ask again, so npm asks without a pause";
    WebTokenReusable, "web-token-reusable", "the token of a web challenge is accepted more than once";
    WebTokenForAnotherAction, "web-token-for-another-action", "the token of a web challenge is accepted for another action";
    WebTokenAfterExpiry, "web-token-after-expiry", "the token of a web challenge is accepted after its time";
    WebTokenOfAnotherUser, "web-token-of-another-user", "the token of a web challenge is accepted from another user";
    WebLogInTokenBeforeFactor, "web-login-token-before-factor", "the web login yields its token after the password alone";
    ExpiredByOneRefused, "expired-by-one-refused", "a code of the step before is refused";
    LeadingZeroDropped, "leading-zero-dropped", "a code is compared as a number, so that it is accepted without its leading zero";
    PendingEnrolmentEnforced, "pending-enrolment-enforced", "an enrolment is enforced before it is confirmed";
    PendingEnrolmentWeakens, "pending-enrolment-weakens", "beginning an enrolment takes away the factor that stands";
    PendingSecretAccepted, "pending-secret-accepted", "codes of a secret that was not confirmed are accepted beside those of the one that stands";
    EnrolWithAnyPassword, "enrol-with-any-password", "an enrolment is begun with any password";
    EnrolWithoutPassword, "enrol-without-password", "an enrolment is begun by a request that names no password";
    AnyCodeConfirms, "any-code-confirms", "any six digits confirm an enrolment";
    FarCodeConfirms, "far-code-confirms", "a code of up to ten steps ago or ahead confirms an enrolment";
    AnybodysCodeConfirms, "anybodys-code-confirms", "a code of another user's pending secret confirms an enrolment";
    ConfirmedAgain, "confirmed-again", "the code that confirmed an enrolment confirms it once more, and yields recovery codes again";
    DisableWithoutPasswordUnchallenged, "disable-without-password-unchallenged", "a request that names no password disables 2FA without a second factor";
    DisableWithWrongPasswordUnchallenged, "disable-with-wrong-password-unchallenged", "a request with a wrong password disables 2FA without a second factor";
    DisableWithAnyPassword, "disable-with-any-password", "beside a right code any password disables 2FA";
    ModeChangeWithoutPasswordUnchallenged, "mode-change-without-password-unchallenged", "a request that names no password changes the 2FA mode without a second factor";
    ModeChangeWithWrongPasswordUnchallenged, "mode-change-with-wrong-password-unchallenged", "a request with a wrong password changes the 2FA mode without a second factor";
    ModeChangeWithAnyPassword, "mode-change-with-any-password", "beside a right code any password changes the 2FA mode";
    SecretShownAgain, "secret-shown-again", "the profile shows the one-time-password secret";
    RecoveryCodesShownAgain, "recovery-codes-shown-again", "the profile shows the recovery codes";
    WrongCodesNeverThrottled, "wrong-codes-never-throttled", "wrong codes are listened to without end";
    LogInNeverThrottled, "log-in-never-throttled", "wrong codes at log-in are listened to without end";
    ThrottledAtLogInAlone, "throttled-at-log-in-alone", "wrong codes elsewhere than at log-in are listened to without end";
    RecoveryCodesUntypable, "recovery-codes-untypable", "recovery codes are written with letters that npm's prompt does not take";
    WrongCodeForbidden, "wrong-code-forbidden", "a wrong code is answered 403, with no challenge";
    ModeChangeAnswersNull, "mode-change-answers-null", "a change of the 2FA mode is answered as npm 7 to 11.3 takes it, whoever asks";
    ModeChangeAnswersMode, "mode-change-answers-mode", "a change of the 2FA mode is answered as npm 11.4 and later take it, whoever asks";
    LastRecoveryCodeNotKept, "last-recovery-code-not-kept", "the last of the recovery codes that are handed out is not kept";
    LockOutOnlySaid, "lock-out-only-said", "during a lock-out wrong codes are answered 429, and right ones are accepted";
    StrangerLocksOut, "stranger-locks-out", "wrong codes sent with a wrong password count as the user's own";
    LockOutLooksLikeWrongCode, "lock-out-looks-like-wrong-code", "during a lock-out every code is answered as a wrong one is";
    QueryStringCodeAccepted, "query-string-code-accepted", "a code in the query string is accepted";
    OtherHeaderCodeAccepted, "other-header-code-accepted", "a code in another header is accepted";

    AutomationTokenChallenged, "automation-token-challenged", "an automation token is asked for a second factor";
    AutomationTokenChangesAccount, "automation-token-changes-account", "an automation token changes the account without a second factor";
    AutomationTokenWithCodeChangesAccount, "automation-token-with-code-changes-account", "an automation token and a code of its user's change the account";
    AutomationTokenGoverns, "automation-token-governs", "an automation token says who governs a package";
    ReadOnlyTokenWrites, "read-only-token-writes", "a read-only token writes";
    ReadOnlyTokenWithCodeWrites, "read-only-token-with-code-writes", "a read-only token and a code of its user's write";
    RevokedTokenWorks, "revoked-token-works", "a revoked token is gone from the list and works on";
    RevokedAutomationTokenWorks, "revoked-automation-token-works", "a revoked automation token is gone from the list and works on";
    TokenCreateWithoutPassword, "token-create-without-password", "a token is made without the password";
    TokenCreateWithAnyPassword, "token-create-with-any-password", "a token is made with any password";
    ReadOnlyTokenCreatesReadWrite, "read-only-token-creates-read-write", "a read-only token makes one that writes";
    TokenAddressIgnored, "token-address-ignored", "a token that is limited to addresses works from any other";

    PackageRequirementIgnored, "package-requirement-ignored", "a package's 2FA requirement is kept and not enforced";
    PackageRequirementLetsAutomationThrough, "package-requirement-lets-automation-through", "a package that requires 2FA lets automation tokens through";
    PackageRequirementStopsAutomation, "package-requirement-stops-automation", "a package that lets automation tokens through refuses them";
    PackageRequirementAuthOnlyUnchallenged, "package-requirement-auth-only-unchallenged", "a package that requires 2FA asks nothing of maintainers in auth-only mode";
    PackageRequirementNotLifted, "package-requirement-not-lifted", "a package's 2FA requirement stays when it is lifted";
    RefusalHalfWritten, "refusal-half-written", "a version that is refused for the package's requirement is listed without its tarball";
    LaterVersionHalfWritten, "later-version-half-written", "a further version of a package is listed without its tarball";

    DeprecateRangeUnchallenged, "deprecate-range-unchallenged", "deprecating several versions at once asks for no second factor";
    DeprecateOneVersionUnchallenged, "deprecate-one-version-unchallenged", "deprecating one version of several asks for no second factor";
    UndeprecateUnchallenged, "undeprecate-unchallenged", "taking a deprecation back asks for no second factor";
    ScopedDeprecateUnchallenged, "scoped-deprecate-unchallenged", "deprecating a package with a scope asks for no second factor";
    UpperSpellingUnchallenged, "upper-spelling-unchallenged", "what changes a package asks for no second factor where the path has %2F in the package's name";
    SlashSpellingUnchallenged, "slash-spelling-unchallenged", "what changes a package asks for no second factor where the path has a plain slash in the package's name";

    LockOutNeverEnds, "lock-out-never-ends", "a lock-out lasts until a right code is accepted, which none is";
    BareRequestsCount, "bare-requests-count", "a request without a code counts as a wrong code";
    ThrottledWithoutRetryAfter, "throttled-without-retry-after", "429 does not say for how long";

    LoggedOutTokenWorks, "logged-out-token-works", "logging out answers success, and the token works on";
    TokensListedInFull, "tokens-listed-in-full", "the list of tokens shows those that were created as a whole";
    WebTokenAfterModeChange, "web-token-after-mode-change", "the token of a web challenge is accepted after the mode was changed";
    WebTokenAfterReEnrolment, "web-token-after-re-enrolment", "the token of a web challenge is accepted after 2FA was disabled and enabled anew";
    PackageRequirementSparesOthers, "package-requirement-spares-others", "a package that requires 2FA asks nothing of maintainers in auth-only mode but its first";
    PackageRequirementOfFirstMaintainers, "package-requirement-of-first-maintainers", "a package's 2FA requirement is asked of those alone who were maintainers when it was set";
    PackageRequirementSpreads, "package-requirement-spreads", "what one package requires is required of all packages of its maintainers";
    LogInPollsAtOnce, "log-in-polls-at-once", "polls of the doneUrl of a web login that are sent at once each yield a session";
    LogInYieldsElsewhere, "log-in-yields-elsewhere", "a web login that was answered yields a session at the doneUrl of one that was not";
    LogInPendingWithoutRetryAfter, "log-in-pending-without-retry-after", "the doneUrl of a web login does not say when to ask again";

    ModeChangeOpensWrites, "mode-change-opens-writes", "while a change of 2FA is in flight, publishing asks for no second factor";
}

impl Mutant {
    /// The faults under which verifying a proof takes a while.
    pub(crate) const SLOW_PROOFS: [Mutant; 7] = [
        Mutant::SpentTooLate,
        Mutant::SpentTooLateAtLogIn,
        Mutant::CodeSpentTooLateOnWrites,
        Mutant::RecoveryCodeSpentTooLate,
        Mutant::WebTokenSpentTooLate,
        Mutant::WrongPassesWhileVerifying,
        Mutant::OpenWhileVerifying,
    ];

    /// Whether only who has several requests under way at once can meet it.
    pub fn is_race(self) -> bool {
        matches!(self, Mutant::PollsAtOnce | Mutant::LogInPollsAtOnce | Mutant::ModeChangeOpensWrites)
            || Self::SLOW_PROOFS.contains(&self)
    }
}

impl fmt::Display for Mutant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Mutant {
    type Err = UnknownMutant;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Mutant::ALL.iter().copied().find(|mutant| mutant.name() == name).ok_or_else(|| UnknownMutant(name.to_owned()))
    }
}

/// A name that is no mutant's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownMutant(String);

impl fmt::Display for UnknownMutant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no seeded fault is called `{}`; `stepup list mutants` names them", self.0)
    }
}

impl std::error::Error for UnknownMutant {}

/// A set of seeded faults.
#[derive(Debug, Clone, Default)]
pub struct Mutants {
    on: Vec<Mutant>,
    reached: Option<Reached>,
}

/// Which switches a registry has read: where the requests that it has answered can meet a fault at all.
#[derive(Debug, Clone)]
pub struct Reached(Arc<[AtomicBool]>);

impl Reached {
    /// The switches that were read since this was asked last, in the order of [`Mutant::ALL`].
    pub fn take(&self) -> Vec<Mutant> {
        let read = Mutant::ALL.iter().zip(self.0.iter()).filter(|(_, read)| read.swap(false, Ordering::Relaxed));
        read.map(|(mutant, _)| *mutant).collect()
    }

    fn note(&self, mutant: Mutant) {
        // Variants have the places that they have in the list of all.
        if let Some(read) = self.0.get(mutant as usize) {
            read.store(true, Ordering::Relaxed);
        }
    }
}

impl Mutants {
    /// No fault: the correct registry.
    pub const fn none() -> Self {
        Self { on: Vec::new(), reached: None }
    }

    /// No fault, and note is taken of each one that is asked for.
    pub fn watched() -> (Self, Reached) {
        let reached = Reached(Mutant::ALL.iter().map(|_| AtomicBool::new(false)).collect());
        (Self { on: Vec::new(), reached: Some(reached.clone()) }, reached)
    }

    /// Whether a fault is switched on. Ask last of all that must hold for the fault to show: who asks says that the
    /// present request can meet it.
    pub fn has(&self, mutant: Mutant) -> bool {
        if let Some(reached) = &self.reached {
            reached.note(mutant);
        }
        self.on.contains(&mutant)
    }

    /// Whether no fault is switched on.
    pub fn is_empty(&self) -> bool {
        self.on.is_empty()
    }

    /// The faults that are switched on, in the order of [`Mutant::ALL`].
    pub fn iter(&self) -> impl Iterator<Item = Mutant> + '_ {
        self.on.iter().copied()
    }
}

impl FromIterator<Mutant> for Mutants {
    fn from_iter<I: IntoIterator<Item = Mutant>>(mutants: I) -> Self {
        let mut on: Vec<Mutant> = mutants.into_iter().collect();
        on.sort_unstable();
        on.dedup();
        Self { on, reached: None }
    }
}

impl From<Mutant> for Mutants {
    fn from(mutant: Mutant) -> Self {
        [mutant].into_iter().collect()
    }
}

impl FromStr for Mutants {
    type Err = UnknownMutant;

    /// Reads names separated by commas; an empty text is the empty set.
    fn from_str(names: &str) -> Result<Self, Self::Err> {
        names.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::parse).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_read_back_and_belongs_to_one_mutant() {
        for mutant in Mutant::ALL {
            assert_eq!(mutant.name().parse(), Ok(*mutant));
            assert!(
                mutant.name().bytes().all(|byte| byte == b'-' || byte.is_ascii_lowercase() || byte.is_ascii_digit())
            );
        }
    }

    #[test]
    fn a_set_is_read_from_names_and_refuses_an_unknown_one() {
        let set: Mutants = "half-json, replay-accepted,half-json".parse().unwrap();
        assert_eq!(set.iter().count(), 2);
        assert!(set.has(Mutant::HalfJson) && !set.has(Mutant::WideWindow));
        let refused = "half-jason".parse::<Mutants>().unwrap_err().to_string();
        assert!(refused.starts_with("no seeded fault is called `half-jason`"), "{refused}");
        assert!("".parse::<Mutants>().unwrap().is_empty());
    }

    #[test]
    fn switches_that_were_read_are_told_once() {
        let (mutants, reached) = Mutants::watched();
        let last = *Mutant::ALL.last().unwrap();
        assert!(!mutants.has(last) && !mutants.clone().has(Mutant::HalfJson) && mutants.is_empty());
        assert_eq!(reached.take(), [Mutant::HalfJson, last]);
        assert_eq!(reached.take(), []);
    }
}
