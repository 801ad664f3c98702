//! JSON Schemas of the files that users write and of the document that a run writes.
//!
//! They are made from the types that read and write those files, so that an editor says what the readers would say. A
//! type with a reader of its own has its schema beside that reader. What a schema cannot say, `stepup lint` does.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema};
use serde_json::Value;

use crate::accounts::Account;
use crate::check::faults;
use crate::client::file::ClientFile;
use crate::client::limits::Measured;
use crate::dialect::{DialectFile, Surface};
use crate::load::document::{CapacityResult, LoadResult};
use crate::load::profile;
use crate::result::RunResult;
use crate::scenario::Scenario;
use crate::table::Table;
use crate::target::{Deviation, TargetFile};

/// A kind of file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, clap::ValueEnum)]
pub enum Kind {
    /// A registry, and how it is driven.
    Target,
    /// What a registry is known to do differently.
    Deviations,
    /// Accounts that an operator hands over.
    Accounts,
    /// A scenario: what a table cannot say.
    Scenario,
    /// An action table.
    Table,
    /// How registries speak.
    Dialect,
    /// Surfaces of a dialect: every way to perform every action.
    Surfaces,
    /// A real client: how it is installed, called, prompted and read.
    Client,
    /// What a real client does on the reference registry, by the shape of its answers.
    ClientLimits,
    /// Which cases must find each seeded fault.
    Faults,
    /// A load profile: what is sent, how fast, and what the run must show.
    Load,
    /// The document that a run writes.
    Result,
    /// The document that a load run writes.
    LoadResult,
    /// The document that a search for the capacity writes.
    CapacityResult,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Kind; 14] = [
        Kind::Target,
        Kind::Deviations,
        Kind::Accounts,
        Kind::Scenario,
        Kind::Table,
        Kind::Dialect,
        Kind::Surfaces,
        Kind::Client,
        Kind::ClientLimits,
        Kind::Faults,
        Kind::Load,
        Kind::Result,
        Kind::LoadResult,
        Kind::CapacityResult,
    ];

    /// The kind's name, on the command line and in the names of schema files.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Target => "target",
            Kind::Deviations => "deviations",
            Kind::Accounts => "accounts",
            Kind::Scenario => "scenario",
            Kind::Table => "table",
            Kind::Dialect => "dialect",
            Kind::Surfaces => "surfaces",
            Kind::Client => "client",
            Kind::ClientLimits => "client-limits",
            Kind::Faults => "faults",
            Kind::Load => "load",
            Kind::Result => "result",
            Kind::LoadResult => "load-result",
            Kind::CapacityResult => "capacity-result",
        }
    }

    /// What a file of the kind is, as a title.
    fn title(self) -> &'static str {
        match self {
            Kind::Target => "stepup target: a registry, and how it is driven",
            Kind::Deviations => "stepup deviations: what a registry is known to do differently",
            Kind::Accounts => "stepup accounts: users that an operator hands over",
            Kind::Scenario => "stepup scenario: what a table cannot say",
            Kind::Table => "stepup table: which actions are challenged in which mode",
            Kind::Dialect => "stepup dialect: how registries speak",
            Kind::Surfaces => "stepup surfaces: every way to perform every action",
            Kind::Client => "stepup client: how a real client is installed, called, prompted and read",
            Kind::ClientLimits => {
                "stepup client limits: what a real client does on the reference registry, by the shape of its answers"
            }
            Kind::Faults => "stepup faults: which cases must find each seeded fault",
            Kind::Load => "stepup load profile: what is sent, how fast, and what the run must show",
            Kind::Result => "stepup result: the document that a run writes",
            Kind::LoadResult => "stepup load result: the document that a load run writes",
            Kind::CapacityResult => "stepup capacity result: the document that a search for the capacity writes",
        }
    }

    /// The JSON Schema of the kind, in the draft that editors understand best.
    pub fn schema(self) -> Value {
        let reading = SchemaSettings::draft07();
        let mut schema = match self {
            Kind::Target => made::<TargetFile>(reading),
            Kind::Deviations => made::<Vec<Deviation>>(reading),
            Kind::Accounts => made::<Vec<Account>>(reading),
            Kind::Scenario => made::<Scenario>(reading),
            Kind::Table => made::<Table>(reading),
            Kind::Dialect => made::<DialectFile>(reading),
            Kind::Surfaces => made::<Vec<Surface>>(reading),
            Kind::Client => made::<ClientFile>(reading),
            Kind::ClientLimits => made::<Vec<Measured>>(reading),
            Kind::Faults => made::<faults::File>(reading),
            Kind::Load => made::<profile::Raw>(reading),
            Kind::Result => made::<RunResult>(reading.for_serialize()),
            Kind::LoadResult => made::<LoadResult>(reading.for_serialize()),
            Kind::CapacityResult => made::<CapacityResult>(reading.for_serialize()),
        };
        let version = schema.remove("$schema").unwrap_or_default();
        let mut ordered =
            serde_json::Map::from_iter([("$schema".to_owned(), version), ("title".to_owned(), self.title().into())]);
        ordered.extend(std::mem::take(schema.ensure_object()));
        ordered.into()
    }

    /// The schema as its file has it.
    pub fn text(self) -> String {
        format!("{:#}\n", self.schema())
    }
}

fn made<T: JsonSchema>(settings: SchemaSettings) -> Schema {
    settings.into_generator().into_root_schema_for::<T>()
}

/// The schema of a type that is read as another one, and then checked.
macro_rules! read_as {
    ($checked:ident, $raw:ty) => {
        impl schemars::JsonSchema for $checked {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($checked).into()
            }

            fn schema_id() -> std::borrow::Cow<'static, str> {
                concat!(module_path!(), "::", stringify!($checked)).into()
            }

            fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
                <$raw>::json_schema(generator)
            }
        }
    };
}
pub(crate) use read_as;
