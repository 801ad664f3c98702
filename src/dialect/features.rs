//! The routes that stand and fall together: where one write of a feature succeeds, the registry has the feature.

use std::collections::{BTreeMap, BTreeSet};

use super::Dialect;
use super::step::{Deed, Method, RequestLine, Step};
use crate::capability::Capability;

impl RequestLine {
    /// The route: the method, and the place before anything is filled in.
    pub fn route(&self) -> String {
        format!("{} {}", self.method.name(), self.place)
    }

    /// Whether the route says which path it is. A place that begins with a value, such as an address that the registry
    /// handed out, may be any.
    pub fn says_its_path(&self) -> bool {
        self.place.to_string().starts_with('/')
    }
}

impl Dialect {
    /// The routes of each feature's commands, reads left out.
    pub fn features(&self) -> BTreeMap<Capability, BTreeSet<String>> {
        let mut features: BTreeMap<Capability, BTreeSet<String>> = BTreeMap::new();
        for surface in &self.surfaces {
            if let Some(feature) = surface.feature {
                self.writes(&surface.perform, features.entry(feature).or_default());
            }
        }
        features
    }

    fn writes(&self, steps: &[Step], routes: &mut BTreeSet<String>) {
        for step in steps {
            match &step.deed {
                Deed::Request(request) if request.line.method != Method::Get => {
                    routes.insert(request.line.route());
                }
                Deed::Routine { name, .. } => {
                    if let Some(steps) = self.routines.get(&name.value) {
                        self.writes(steps, routes);
                    }
                }
                Deed::Request(_) | Deed::Key(_) | Deed::Browse(_) => {}
            }
        }
    }
}
